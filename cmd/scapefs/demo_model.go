package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"

	"github.com/scapefs/scapefs/safetensors"
	"github.com/scapefs/scapefs/testdata"
)

// demoLayers is how many layers a model is given, if it is large enough.
const demoLayers = 16

// demoModel describes a model of any size, made of the tensors of a small one
// that was really trained. A tensor of a layer is a stack of copies of a real
// tensor; in each copy the elements stand in another order. So every tensor has
// the values, and as often, that training gave it, while no two copies are
// equal: what is saved is not saved by finding repeats.
type demoModel struct {
	real   *safetensors.Header
	data   []byte // of the real model's file
	layers int
	copies int // in a stack
}

func newDemoModel(size int64) (*demoModel, error) {
	m := &demoModel{data: testdata.Stories260K}
	var err error
	if m.real, err = safetensors.Parse(bytes.NewReader(m.data), int64(len(m.data))); err != nil {
		return nil, err
	}
	once := int64(len(m.data)) - m.real.DataStart
	total := max(1, (size+once/2)/once)
	m.layers = int(min(demoLayers, total))
	m.copies = int(total) / m.layers
	return m, nil
}

// writeFile writes the model to path, down to the disk.
func (m *demoModel) writeFile(ctx context.Context, path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	if err := m.write(ctx, w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Sync()
}

func (m *demoModel) write(ctx context.Context, w io.Writer) error {
	header, err := marshalHeader(m.tensors())
	if err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(0, 0)) // the same orders in every run
	var buf []byte
	for range m.layers {
		for _, t := range m.real.Tensors {
			src := m.data[t.Begin:t.End]
			for range m.copies {
				buf = appendShuffled(rng, buf[:0], src)
				if _, err := w.Write(buf); err != nil {
					return err
				}
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *demoModel) tensors() []safetensors.Tensor {
	var all []safetensors.Tensor
	for layer := range m.layers {
		for _, t := range m.real.Tensors {
			all = append(all, safetensors.Tensor{
				Name:  fmt.Sprintf("layers.%d.%s", layer, t.Name),
				DType: t.DType,
				Shape: append([]int64{int64(m.copies)}, t.Shape...),
				End:   (t.End - t.Begin) * int64(m.copies),
			})
		}
	}
	return all
}

// appendShuffled appends the bf16 elements of src in a random order.
func appendShuffled(rng *rand.Rand, dst, src []byte) []byte {
	dst = append(dst, src...)
	v := dst[len(dst)-len(src):]
	rng.Shuffle(len(v)/2, func(i, j int) {
		v[2*i], v[2*i+1], v[2*j], v[2*j+1] = v[2*j], v[2*j+1], v[2*i], v[2*i+1]
	})
	return dst
}

// marshalHeader gives the header of a safetensors file that holds tensors in
// this order without gaps. Of each, End-Begin is the length.
func marshalHeader(tensors []safetensors.Tensor) ([]byte, error) {
	type entry struct {
		DType   safetensors.DType `json:"dtype"`
		Shape   []int64           `json:"shape"`
		Offsets [2]int64          `json:"data_offsets"`
	}
	entries := make(map[string]entry, len(tensors))
	var end int64
	for _, t := range tensors {
		begin := end
		end += t.End - t.Begin
		entries[t.Name] = entry{t.DType, t.Shape, [2]int64{begin, end}}
	}
	text, err := json.Marshal(entries)
	if err != nil {
		return nil, err
	}
	for len(text)%8 != 0 { // so that the data is aligned
		text = append(text, ' ')
	}
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...), nil
}
