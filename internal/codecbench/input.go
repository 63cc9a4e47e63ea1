package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/scapefs/scapefs/archive"
	"github.com/scapefs/scapefs/codec"
	"github.com/scapefs/scapefs/safetensors"
)

// input is a chunk to measure with.
type input struct {
	name  string
	data  []byte
	parts []codec.Part
}

// gaussian makes n bytes of normal bf16 weights, rounded to nearest even.
func gaussian(n int) input {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := 0; i+1 < n; i += 2 {
		u := math.Float32bits(float32(r.NormFloat64() * 0.02))
		binary.LittleEndian.PutUint16(b[i:], uint16((u+0x7fff+u>>16&1)>>16))
	}
	return input{name: "gaussian", data: b, parts: matrixOf(n, gaussianColumns)}
}

// matrixOf describes n bytes of one large matrix of so many columns.
func matrixOf(n int, columns int64) []codec.Part {
	return []codec.Part{{Shape: []int64{int64(n)/2/columns + 1, columns}}}
}

// gaussianColumns is how many columns matrices of normal weights have.
const gaussianColumns = 1024

// weights are the bf16 chunks of real files, as pack cuts them.
type weights []input

// realWeights reads the bf16 files of dir or, if that is empty, of testdata.
func realWeights(dir string) (weights, error) {
	dir = folder(dir)
	paths, err := filepath.Glob(filepath.Join(dir, "*.bf16.safetensors"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("no .bf16.safetensors files in %s", dir)
	}
	var all weights
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		header, err := safetensors.Parse(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		for _, s := range archive.Plan(header, int64(len(b)), 0) {
			if s.Elem == codec.BF16 {
				all = append(all, input{name: "real", data: b[s.Off : s.Off+int64(s.Len)], parts: s.Parts})
			}
		}
	}
	return all, nil
}

// chunk makes a chunk of n bytes of the tensors of w, repeated as it takes.
func (w weights) chunk(n int) input {
	in := input{name: "real"}
	for i := 0; len(in.data) < n; i = (i + 1) % len(w) {
		for _, p := range w[i].parts {
			p.Off += len(in.data)
			if p.Off < n {
				in.parts = append(in.parts, p)
			}
		}
		in.data = append(in.data, w[i].data...)
	}
	in.data = in.data[:n]
	return in
}

// largest makes a chunk of n bytes of the largest tensor of w alone, repeated:
// a real tensor of the size that large models have.
func (w weights) largest(n int) input {
	var best []byte
	var shape []int64
	for _, in := range w {
		for i, p := range in.parts {
			end := len(in.data)
			if i+1 < len(in.parts) {
				end = in.parts[i+1].Off
			}
			if end-p.Off > len(best) {
				best, shape = in.data[p.Off:end], p.Shape
			}
		}
	}
	in := input{name: "tensor"}
	for len(in.data) < n {
		in.data = append(in.data, best...)
	}
	in.data = in.data[:n]
	in.parts = matrixOf(n, shape[len(shape)-1])
	return in
}

// buffer gives the bytes of w as the peers get them: in chunks that know of no
// tensors.
func (w weights) buffer() weights {
	var all []byte
	for _, in := range w {
		all = append(all, in.data...)
	}
	return cut("buffer", all, func(int) []codec.Part { return nil })
}

// cut cuts data into chunks, of which describe knows the parts by their length.
func cut(name string, data []byte, describe func(n int) []codec.Part) (chunks weights) {
	for len(data) > 0 {
		n := min(archive.DefaultChunkLen, len(data))
		chunks = append(chunks, input{name: name, data: data[:n], parts: describe(n)})
		data = data[n:]
	}
	return chunks
}

func (w weights) size() (n int) {
	for _, in := range w {
		n += len(in.data)
	}
	return n
}
