package main

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
)

// tensor is a piece of a mapped file.
type tensor struct {
	name string
	data []byte
}

// tensors copies out every tensor, by threads that take them off one queue in
// the order of their names, as safetensors gives them: layers.10 comes before
// layers.2. An operation is piece bytes of one, at most.
func tensors(dir string, threads, piece int, c *clock) error {
	list, err := tensorsOf(dir)
	if err != nil {
		return err
	}
	buffers := sync.Pool{New: func() any { return new([256 << 10]byte) }}
	return inParallel(threads, len(list), func(i int) error {
		var l lap
		buf := buffers.Get().(*[256 << 10]byte)
		l.copyOut(list[i].data, piece, buf[:])
		buffers.Put(buf)
		c.add(&l)
		return nil
	})
}

// tensorsOf lists the tensors of a model whose headers bench itself wrote. A
// mount of zeros has no headers: it shows the like of a model by its size.
func tensorsOf(dir string) (all []tensor, err error) {
	shards, err := shardsOf(dir)
	if err != nil {
		return nil, err
	}
	for _, path := range shards {
		m, err := mapped(path) // until the process ends
		if err != nil {
			return nil, err
		}
		var list []tensor
		switch n := binary.LittleEndian.Uint64(m); {
		case n == 0:
			list = evenly(m)
		case n > uint64(len(m)-8):
			return nil, fmt.Errorf("%s: no safetensors file", path)
		default:
			if list, err = parse(m[8:8+n], m[8+n:]); err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
		}
		slices.SortFunc(list, func(a, b tensor) int { return cmp.Compare(a.name, b.name) })
		all = append(all, list...)
	}
	return all, nil
}

func parse(header, data []byte) (list []tensor, err error) {
	var entries map[string]struct {
		Offsets [2]int `json:"data_offsets"`
	}
	if err := json.Unmarshal(header, &entries); err != nil {
		return nil, err
	}
	for name, e := range entries {
		begin, end := e.Offsets[0], e.Offsets[1]
		if begin < 0 || begin > end || end > len(data) {
			return nil, fmt.Errorf("tensor %s lies outside", name)
		}
		list = append(list, tensor{name, data[begin:end]})
	}
	return list, nil
}

// evenly cuts zeros into layers of the size that bench gives them.
func evenly(m []byte) (list []tensor) {
	for n := 0; len(m) >= layerBytes; n++ {
		rest := m[:layerBytes]
		for _, t := range layer(n) {
			size := 2 * t.rows * t.cols
			list = append(list, tensor{t.name, rest[:size]})
			rest = rest[size:]
		}
		m = m[layerBytes:]
	}
	return list
}
