package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// The model is shaped like a Llama whose layers take 25 MB, in bf16: normal
// weights, with a scale for each row. The same bytes every time.
const (
	shards     = 4
	layerBytes = 2 * (4*1024*1024 + 3*1024*2816)

	smallFiles = 1000 // of each kind, in one folder
	smallBytes = 16 << 10
)

// matrix is a tensor to be made.
type matrix struct {
	name       string
	rows, cols int
}

func layer(n int) (list []matrix) {
	for _, p := range []string{"q_proj", "k_proj", "v_proj", "o_proj"} {
		list = append(list, matrix{fmt.Sprintf("model.layers.%d.self_attn.%s.weight", n, p), 1024, 1024})
	}
	for _, p := range []string{"gate_proj", "up_proj"} {
		list = append(list, matrix{fmt.Sprintf("model.layers.%d.mlp.%s.weight", n, p), 2816, 1024})
	}
	return append(list, matrix{fmt.Sprintf("model.layers.%d.mlp.down_proj.weight", n), 1024, 2816})
}

// makeModel writes a model of about megabytes into dir/model, and many small
// files into dir/small.
func makeModel(dir string, megabytes int) error {
	layers := max(shards, megabytes<<20/layerBytes)
	var group sync.WaitGroup
	errs := make([]error, shards)
	for s := range shards {
		var list []matrix
		for n := layers * s / shards; n < layers*(s+1)/shards; n++ {
			list = append(list, layer(n)...)
		}
		path := filepath.Join(dir, "model", fmt.Sprintf("model-%05d-of-%05d.safetensors", s+1, shards))
		group.Go(func() { errs[s] = writeTensors(path, list, uint64(s)) })
	}
	group.Wait()
	return errors.Join(errors.Join(errs...), makeSmall(filepath.Join(dir, "small")))
}

func makeSmall(dir string) error {
	for i := range smallFiles {
		path := filepath.Join(dir, fmt.Sprintf("adapter-%04d", i))
		if err := writeTensors(path+".safetensors", []matrix{{"lora.weight", 8, smallBytes / 2 / 8}}, uint64(1000+i)); err != nil {
			return err
		}
		if err := os.WriteFile(path+".json", []byte(strings.Repeat(`{"r": 8}`, 64)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func writeTensors(path string, list []matrix, seed uint64) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<20)
	if err := writeEntries(w, list); err != nil {
		return err
	}
	rnd := rand.New(rand.NewPCG(seed, 1))
	for _, m := range list {
		row := make([]byte, 2*m.cols)
		for range m.rows {
			scale := 0.02 * math.Exp(0.3*rnd.NormFloat64())
			for c := range m.cols {
				v := math.Float32bits(float32(scale * rnd.NormFloat64()))
				binary.LittleEndian.PutUint16(row[2*c:], uint16((v+0x7fff+v>>16&1)>>16))
			}
			if _, err := w.Write(row); err != nil {
				return err
			}
		}
	}
	return w.Flush()
}

func writeEntries(w io.Writer, list []matrix) error {
	header := map[string]any{}
	at := 0
	for _, m := range list {
		end := at + 2*m.rows*m.cols
		header[m.name] = map[string]any{"dtype": "BF16", "shape": []int{m.rows, m.cols}, "data_offsets": []int{at, end}}
		at = end
	}
	text, err := json.Marshal(header)
	if err != nil {
		return err
	}
	for len(text)%8 != 0 {
		text = append(text, ' ')
	}
	_, err = w.Write(append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...))
	return err
}
