package reader

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/scapefs/scapefs/fs"
	"golang.org/x/sys/unix"
)

const (
	pieceSize   = 1 << 20 // read at a time, at most
	randomReads = 40      // in a pass
)

// errBus reports that a mapped page could not be had.
var errBus = errors.New("SIGBUS")

// pass is one file being read.
type pass struct {
	rng     *rand.Rand
	check   *check
	longest time.Duration
}

// run reads the file at path.
func (p *pass) run(path string, job Job) error {
	flags := os.O_RDONLY
	if job.Way == Direct {
		flags |= unix.O_DIRECT
	}
	var f *os.File
	err := p.timed(func() (err error) { f, err = os.OpenFile(path, flags, 0); return err })
	if err != nil {
		return err
	}
	defer f.Close()
	if !job.Warm {
		if err := fs.Evict(f); err != nil {
			return err
		}
	}
	switch job.Way {
	case Pread:
		return p.preads(f)
	case Mmap:
		return p.mapped(f)
	case Direct:
		return p.direct(f)
	case Names:
		return p.names(f, path)
	}
	return p.sequential(f)
}

func (p *pass) timed(call func() error) error {
	start := time.Now()
	err := call()
	p.longest = max(p.longest, time.Since(start))
	return err
}

// at reads len(b) bytes at off and compares them.
func (p *pass) at(f *os.File, b []byte, off int64) error {
	var n int
	err := p.timed(func() (err error) { n, err = f.ReadAt(b, off); return err })
	if err != nil && err != io.EOF {
		return err
	}
	return errors.Join(p.check.ended(off, len(b), n), p.check.compare(b[:n], off))
}

func (p *pass) sequential(f *os.File) error {
	b := make([]byte, pieceSize)
	for off := int64(0); off < p.check.size; {
		n := 1 + p.rng.IntN(len(b))
		if err := p.at(f, b[:n], off); err != nil {
			return err
		}
		off += int64(n)
	}
	return nil
}

func (p *pass) preads(f *os.File) error {
	b := make([]byte, pieceSize)
	for range randomReads {
		n := 1 + p.rng.IntN(1<<p.rng.IntN(21))
		if err := p.at(f, b[:n], p.rng.Int64N(p.check.size+10)); err != nil {
			return err
		}
	}
	return nil
}

func (p *pass) direct(f *os.File) error {
	b, err := unix.Mmap(-1, 0, pieceSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return err
	}
	defer unix.Munmap(b)
	for off := int64(0); off < p.check.size; {
		n := 512 * (1 + p.rng.IntN(len(b)/512))
		if err := p.at(f, b[:n], off); err != nil {
			return err
		}
		off += int64(n)
	}
	return nil
}

func (p *pass) mapped(f *os.File) error {
	var b []byte
	err := p.timed(func() (err error) {
		b, err = unix.Mmap(int(f.Fd()), 0, int(p.check.size), unix.PROT_READ, unix.MAP_SHARED)
		return err
	})
	if err != nil {
		return err
	}
	defer unix.Munmap(b)
	return p.touch(b)
}

// touch compares mapped bytes. A page that cannot be read is an error, not the
// end of the process.
func (p *pass) touch(b []byte) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil {
			err = errBus
		}
	}()
	for off := 0; off < len(b); {
		n := min(len(b)-off, 1+p.rng.IntN(pieceSize))
		if err := p.timed(func() error { return p.check.compare(b[off:off+n], int64(off)) }); err != nil {
			return err
		}
		off += n
	}
	return nil
}

// names lists the folder of f and looks at all that is in it; f itself has the
// size that it should have.
func (p *pass) names(f *os.File, path string) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() != p.check.size {
		return fmt.Errorf("%w: size %d, want %d", errWrong, info.Size(), p.check.size)
	}
	var entries []os.DirEntry
	dir := filepath.Dir(path)
	if err := p.timed(func() (err error) { entries, err = os.ReadDir(dir); return err }); err != nil {
		return err
	}
	for _, e := range entries {
		err := p.timed(func() error { _, err := os.Stat(filepath.Join(dir, e.Name())); return err })
		if err != nil {
			return err
		}
	}
	return nil
}
