package reader

import "maps"

// Way is how a reader reads.
type Way string

// The ways to read.
const (
	Read   Way = "read"   // from start to end, in pieces of any size
	Pread  Way = "pread"  // at random places
	Mmap   Way = "mmap"   // all of the file, mapped
	Direct Way = "direct" // from start to end with O_DIRECT
	Names  Way = "names"  // lists the folder and looks at every file
)

// Ways lists all ways.
func Ways() []Way { return []Way{Read, Pread, Mmap, Direct, Names} }

// File is a file that readers know the content of.
type File struct {
	Name    string   `json:"name"`
	Tensors int      `json:"tensors"` // of 1 MiB
	Seeds   []uint64 `json:"seeds"`   // what it may hold: one of these, from start to end
}

// Job says what a reader reads, over and over.
type Job struct {
	Dir    string `json:"dir"`
	Files  []File `json:"files"`
	Way    Way    `json:"way"`
	Seed   uint64 `json:"seed"`             // of the order of files, and of places
	Passes int    `json:"passes,omitempty"` // 0 to go on until told to stop
	Warm   bool   `json:"warm,omitempty"`   // leaves what the kernel has cached
	Deaf   bool   `json:"deaf,omitempty"`   // lives through SIGINT
}

// Tally is what a reader has seen since it began. A pass opens one file,
// compares what it reads, and closes it.
type Tally struct {
	Passes  int            `json:"passes"`
	Good    int            `json:"good"`             // passes without an error
	Bytes   int64          `json:"bytes"`            // compared
	Wrong   int64          `json:"wrong"`            // wrong bytes, or a file that ends too early
	Errors  map[string]int `json:"errors"`           // by name of the error
	Detail  string         `json:"detail,omitempty"` // of the first wrong byte
	Signals int64          `json:"signals,omitempty"`
	Longest int64          `json:"longest_ms"` // system call or page fault
}

// Add adds what another reader has seen.
func (t *Tally) Add(o Tally) {
	t.Passes += o.Passes
	t.Good += o.Good
	t.Bytes += o.Bytes
	t.Wrong += o.Wrong
	t.Signals += o.Signals
	t.Longest = max(t.Longest, o.Longest)
	if t.Detail == "" {
		t.Detail = o.Detail
	}
	if t.Errors == nil {
		t.Errors = map[string]int{}
	}
	for name, n := range o.Errors {
		t.Errors[name] += n
	}
}

func (t Tally) clone() Tally {
	t.Errors = maps.Clone(t.Errors)
	return t
}
