package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"sync"
)

// shards is how many files a model is in.
const shards = 4

// tensor is a matrix of bf16, or a vector if it has one row.
type tensor struct {
	name       string
	rows, cols int64
	seed       uint64
}

func (t tensor) bytes() int64 { return 2 * t.rows * t.cols }

// qwen gives the 339 tensors of Qwen2.5-7B, their dimensions divided by shrink.
func qwen(shrink int64) []tensor {
	hidden, inner, kv, words := 3584/shrink, 18944/shrink, 512/shrink, 152064/shrink
	all := []tensor{{name: "model.embed_tokens.weight", rows: words, cols: hidden}}
	add := func(name string, rows, cols int64) { all = append(all, tensor{name: name, rows: rows, cols: cols}) }
	for layer := range 28 {
		p := fmt.Sprintf("model.layers.%d.", layer)
		add(p+"input_layernorm.weight", 1, hidden)
		add(p+"mlp.down_proj.weight", hidden, inner)
		add(p+"mlp.gate_proj.weight", inner, hidden)
		add(p+"mlp.up_proj.weight", inner, hidden)
		add(p+"post_attention_layernorm.weight", 1, hidden)
		add(p+"self_attn.k_proj.bias", 1, kv)
		add(p+"self_attn.k_proj.weight", kv, hidden)
		add(p+"self_attn.o_proj.weight", hidden, hidden)
		add(p+"self_attn.q_proj.bias", 1, hidden)
		add(p+"self_attn.q_proj.weight", hidden, hidden)
		add(p+"self_attn.v_proj.bias", 1, kv)
		add(p+"self_attn.v_proj.weight", kv, hidden)
	}
	add("model.norm.weight", 1, hidden)
	add("lm_head.weight", words, hidden)
	for i := range all {
		all[i].seed = uint64(i)
	}
	return all
}

// shard is one file of a model.
type shard struct {
	name    string
	tensors []tensor
	header  []byte
}

// split deals tensors out to files of about the same size.
func split(all []tensor) []*shard {
	var total, dealt int64
	for _, t := range all {
		total += t.bytes()
	}
	list := make([]*shard, shards)
	for i := range list {
		list[i] = &shard{name: fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, shards)}
	}
	for _, t := range all {
		s := list[min(dealt*shards/total, shards-1)]
		s.tensors = append(s.tensors, t)
		dealt += t.bytes()
	}
	for _, s := range list {
		s.header = s.marshalHeader()
	}
	return list
}

func (s *shard) marshalHeader() []byte {
	type entry struct {
		DType   string   `json:"dtype"`
		Shape   []int64  `json:"shape"`
		Offsets [2]int64 `json:"data_offsets"`
	}
	entries := map[string]any{"__metadata__": map[string]string{"format": "pt"}}
	var at int64
	for _, t := range s.tensors {
		shape := []int64{t.rows, t.cols}
		if t.rows == 1 {
			shape = shape[1:]
		}
		entries[t.name] = entry{"BF16", shape, [2]int64{at, at + t.bytes()}}
		at += t.bytes()
	}
	text, err := json.Marshal(entries)
	if err != nil {
		panic(err) // strings and numbers can be marshalled
	}
	for len(text)%8 != 0 {
		text = append(text, ' ')
	}
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...)
}

func (s *shard) size() int64 {
	n := int64(len(s.header))
	for _, t := range s.tensors {
		n += t.bytes()
	}
	return n
}

// write writes the file.
func (s *shard) write(to io.Writer) error {
	w := bufio.NewWriterSize(to, 1<<20)
	if _, err := w.Write(s.header); err != nil {
		return err
	}
	for _, t := range s.tensors {
		if err := t.write(w); err != nil {
			return err
		}
	}
	return w.Flush()
}

// write writes the tensor's elements: Gaussian, with a scale for each row and
// one for each column, as trained matrices have them.
func (t tensor) write(w io.Writer) error {
	normal := quantiles()
	rng := rand.NewPCG(t.seed, 7)
	lot := rand.New(rng)
	columns := make([]float32, t.cols)
	for i := range columns {
		columns[i] = float32(math.Exp(0.2 * lot.NormFloat64()))
	}
	row := make([]byte, 2*t.cols)
	for range t.rows {
		scale := float32(0.02 * math.Exp(0.3*lot.NormFloat64()))
		for i := 0; i < len(columns); {
			for r := rng.Uint64(); i < len(columns) && r != 0; r >>= 16 {
				bits := math.Float32bits(normal[r&0xffff] * scale * columns[i])
				binary.LittleEndian.PutUint16(row[2*i:], uint16((bits+0x7fff+bits>>16&1)>>16))
				i++
			}
		}
		if _, err := w.Write(row); err != nil {
			return err
		}
	}
	return nil
}

// quantiles gives 65536 values that occur as a normal distribution has them.
var quantiles = sync.OnceValue(func() *[1 << 16]float32 {
	var values [1 << 16]float32
	for i := range values {
		values[i] = float32(math.Sqrt2 * math.Erfinv(2*(float64(i)+0.5)/float64(len(values))-1))
	}
	return &values
})
