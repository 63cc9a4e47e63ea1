// Package weights makes safetensors files that look like bf16 weights and
// whose every byte follows from a seed, so that whoever reads one can tell a
// wrong byte without having a copy. It knows nothing of archives.
package weights

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"sync"
)

const (
	blockSize  = 64 << 10 // made at once
	tensorSize = 1 << 20
)

// File is a file made of Seed. All of one Tensors count have the same header
// and size, whatever their seeds.
type File struct {
	Seed   uint64
	header []byte
	size   int64
}

// New describes a file of so many tensors of 1 MiB each.
func New(seed uint64, tensors int) *File {
	type entry struct {
		DType   string `json:"dtype"`
		Shape   []int  `json:"shape"`
		Offsets [2]int `json:"data_offsets"`
	}
	entries := make(map[string]entry, tensors)
	for i := range tensors {
		entries[fmt.Sprintf("layers.%d.weight", i)] = entry{"BF16", []int{512, 1024}, [2]int{i * tensorSize, (i + 1) * tensorSize}}
	}
	text, err := json.Marshal(entries)
	if err != nil {
		panic(err) // strings and numbers can be marshalled
	}
	text = append(text, bytes.Repeat([]byte(" "), -len(text)&7)...)
	header := append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...)
	return &File{Seed: seed, header: header, size: int64(len(header) + tensors*tensorSize)}
}

// Size is the number of its bytes.
func (f *File) Size() int64 { return f.size }

// ReadAt gives the bytes from off on, as io.ReaderAt says.
func (f *File) ReadAt(p []byte, off int64) (n int, err error) {
	head := int64(len(f.header))
	if off < head {
		n = copy(p, f.header[off:])
	}
	var block [blockSize]byte
	for n < len(p) && off+int64(n) < f.size {
		at := off + int64(n) - head
		f.block(&block, at/blockSize)
		n += copy(p[n:], block[at%blockSize:])
	}
	if n < len(p) {
		err = io.EOF
	}
	return n, err
}

// block makes the i-th 64 KiB of the tensors' data.
func (f *File) block(out *[blockSize]byte, i int64) {
	values := gaussian()
	rng := rand.NewPCG(f.Seed, uint64(i))
	for at := 0; at < blockSize; at += 8 {
		r := rng.Uint64()
		binary.LittleEndian.PutUint64(out[at:], uint64(values[r&0xffff])|
			uint64(values[r>>16&0xffff])<<16|uint64(values[r>>32&0xffff])<<32|uint64(values[r>>48])<<48)
	}
}

// gaussian gives 65536 bf16 values that occur as weights do: the quantiles of
// a normal distribution.
var gaussian = sync.OnceValue(func() *[1 << 16]uint16 {
	var values [1 << 16]uint16
	for i := range values {
		p := (float64(i) + 0.5) / float64(len(values))
		v := float32(0.02 * math.Sqrt2 * math.Erfinv(2*p-1))
		values[i] = uint16(math.Float32bits(v) >> 16)
	}
	return &values
})
