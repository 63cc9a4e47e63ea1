package archive

import (
	"crypto/sha256"
	"path/filepath"

	"github.com/scapefs/scapefs/index"
)

// Coded is a chunk that was coded, as far as its place in an archive goes.
type Coded struct {
	Len                   int // original bytes
	HeaderLen, PayloadLen int
	Sum                   [sha256.Size]byte // of its original bytes
	Refers                bool              // to another chunk
	Referred              bool              // by another one
}

// Size is how long the archive is that Pack writes of chunks, which are all of
// the file called path, and a profile of that many bytes.
func Size(path string, chunks []Coded, profile int) (int64, error) {
	idx := index.Index{Meta: index.Meta{Name: filepath.Base(path), ChunkSize: DefaultChunkLen}, Profile: make([]byte, profile)}
	pos := int64(index.HeaderLen)
	first := Firsts(chunks)
	for i, c := range chunks {
		row := index.Row{Pos: pos, Len: uint32(c.Len), HeaderLen: uint32(c.HeaderLen), PayloadLen: uint32(c.PayloadLen)}
		if first[i] < i {
			row = idx.Rows[first[i]]
		} else {
			pos = row.RecordEnd()
		}
		row.Off = idx.Meta.Size
		idx.Meta.Size += int64(c.Len)
		idx.Rows = append(idx.Rows, row)
	}
	table, err := idx.Marshal()
	return pos + int64(len(table)) + index.TrailerLen, err
}

// Firsts gives for each chunk the one whose record it shares: itself, but for a
// chunk whose bytes an earlier one has.
func Firsts(chunks []Coded) []int {
	records := make(map[[sha256.Size]byte]int)
	firsts := make([]int, len(chunks))
	for i, c := range chunks {
		first, seen := records[c.Sum]
		if !seen || c.Referred && chunks[first].Refers {
			first = i
			records[c.Sum] = i
		}
		firsts[i] = first
	}
	return firsts
}
