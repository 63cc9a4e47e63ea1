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
	return input{name: "gaussian", data: b}
}

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

func (w weights) size() (n int) {
	for _, in := range w {
		n += len(in.data)
	}
	return n
}
