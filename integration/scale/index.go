package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/scapefs/scapefs/index"
)

// simulation is the index of a model that is larger than the disk.
type simulation struct {
	ModelBytes int64   `json:"model_bytes"`
	Chunks     int     `json:"chunks"`
	IndexBytes int     `json:"index_bytes"`
	ParseMS    float64 `json:"parse_ms"`
	FindNS     float64 `json:"find_ns"` // one look-up
}

// simulate makes, reads and searches the index of a model of so many bytes.
func simulate(bytes int64) (s simulation, err error) {
	const chunk = 4 << 20
	idx := &index.Index{Meta: index.Meta{Name: "model.safetensors", Size: bytes, Mode: 0o644, ChunkSize: chunk, MTime: time.Unix(0, 0).UTC()}}
	pos := int64(index.HeaderLen)
	for off := int64(0); off < bytes; off += chunk {
		n := uint32(min(chunk, bytes-off))
		r := index.Row{Off: off, Pos: pos, Len: n, HeaderLen: 1000, PayloadLen: n / 3 * 2, DType: index.DTypeCode("BF16")}
		idx.Rows = append(idx.Rows, r)
		pos = r.RecordEnd()
	}
	b, err := idx.Marshal()
	if err != nil {
		return s, err
	}
	start := time.Now()
	read, err := index.Parse(b, pos+int64(len(b))+index.TrailerLen)
	if err != nil {
		return s, err
	}
	s = simulation{ModelBytes: bytes, Chunks: len(read.Rows), IndexBytes: len(b), ParseMS: milliseconds(time.Since(start))}
	rng := rand.New(rand.NewPCG(1, 1))
	const searches = 1 << 20
	start = time.Now()
	for range searches {
		off := rng.Int64N(bytes)
		if row := read.Rows[read.Find(off)]; off < row.Off || off >= row.End() {
			return s, fmt.Errorf("offset %d is not in the chunk found for it, [%d, %d)", off, row.Off, row.End())
		}
	}
	s.FindNS = float64(time.Since(start).Nanoseconds()) / searches
	return s, nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
