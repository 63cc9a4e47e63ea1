package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/scapefs/scapefs/codec"
)

// memorySpeed is how fast one core codes from memory to memory.
type memorySpeed struct {
	Input   string  `json:"input"`
	Who     string  `json:"who"`
	Backend string  `json:"backend,omitempty"` // of scape
	Bytes   int     `json:"bytes"`
	Ratio   float64 `json:"ratio"`
	Encode  float64 `json:"encode_gbps"`
	Decode  float64 `json:"decode_gbps"`
	Over    float64 `json:"decode_over_memcpy"` // by each one's own memcpy
}

// memoryToMemory measures more than the caches hold: the best backend before
// and after the peers, so that both meet the same machine. It gives the peers'
// versions too.
func memoryToMemory(opt options, real weights, stderr io.Writer) (list []memorySpeed, versions string, err error) {
	best := codec.Backend()
	defer func() { err = errors.Join(err, codec.SetBackend(best)) }()
	inputs := []weights{real, real.buffer(), gaussianChunks(opt.megabytes)}
	backends := codec.Backends()
	for _, b := range backends {
		speeds, err := memorySpeeds(inputs, b, opt.timing)
		if err != nil {
			return nil, "", err
		}
		list = append(list, speeds...)
	}
	if opt.peers == "" {
		return list, "", nil
	}
	peers, versions, err := peerSpeeds(opt, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "codecbench: the peers are not measured:", err)
		return list, "", nil
	}
	after, err := memorySpeeds(inputs, backends[len(backends)-1], opt.timing)
	if err != nil {
		return nil, "", err
	}
	before := list[len(list)-len(after):]
	for i := range after {
		before[i].meanWith(after[i])
	}
	return append(list, peers...), versions, nil
}

func (s *memorySpeed) meanWith(t memorySpeed) {
	s.Encode = (s.Encode + t.Encode) / 2
	s.Decode = (s.Decode + t.Decode) / 2
	s.Over = (s.Over + t.Over) / 2
}

func gaussianChunks(megabytes int) weights {
	noise := gaussian(megabytes * 1000 * 1000 &^ 1)
	return cut(noise.name, noise.data, func(n int) []codec.Part { return matrixOf(n, gaussianColumns) })
}

func memorySpeeds(inputs []weights, backend string, t timing) (list []memorySpeed, err error) {
	if err := codec.SetBackend(backend); err != nil {
		return nil, err
	}
	for _, w := range inputs {
		for _, level := range codec.Levels() {
			s, err := memorySpeedOf(w, level, t)
			if err != nil {
				return nil, err
			}
			s.Backend = backend
			list = append(list, s)
		}
	}
	return list, nil
}

func memorySpeedOf(w weights, level codec.Level, t timing) (s memorySpeed, err error) {
	s = memorySpeed{Input: w[0].name, Who: "scape " + level.String(), Bytes: w.size()}
	enc, dec := newEncoder(level), codec.NewDecoder()
	out := make([]byte, s.Bytes+s.Bytes/8)
	original, copied := make([]byte, 0, s.Bytes), make([]byte, s.Bytes)
	for _, in := range w {
		original = append(original, in.data...)
	}
	encode := func() error {
		at := 0
		for _, in := range w {
			e, err := enc.Encode(in.data, codec.BF16, in.parts)
			if err != nil {
				return err
			}
			at += copy(out[at:], e.Header)
			at += copy(out[at:], e.Payload)
		}
		return nil
	}
	var list []*coded
	stored := 0
	for _, in := range w {
		c, err := newCoded(enc, in)
		if err != nil {
			return s, err
		}
		list = append(list, c)
		stored += len(c.header) + len(c.payload)
	}
	s.Ratio = float64(s.Bytes) / float64(stored)
	decode := func() error {
		at := 0
		for _, c := range list {
			chunk, err := codec.ParseChunk(c.header, c.size)
			if err != nil {
				return err
			}
			for i := range chunk.NumBlocks() {
				if err := c.decodeBlock(dec, chunk, i, copied[at:at+c.size]); err != nil {
					return err
				}
			}
			at += c.size
		}
		return nil
	}
	return s, s.time(min(t.rounds, 5), original, copied, encode, decode)
}

// time measures as the peers are measured: each thing so many times in a row, of
// which the best counts.
func (s *memorySpeed) time(rounds int, original, copied []byte, encode, decode func() error) error {
	memcpy := func() error { copy(copied, original); return nil }
	var best [3]float64
	for k, step := range [...]func() error{encode, memcpy, decode} {
		clear(copied)
		for range rounds {
			speed, err := gbps(s.Bytes, 0, step)
			if err != nil {
				return err
			}
			best[k] = max(best[k], speed)
		}
	}
	if !bytes.Equal(original, copied) {
		return fmt.Errorf("%s of %s decodes to other bytes", s.Who, s.Input)
	}
	s.Encode, s.Decode, s.Over = best[0], best[2], best[2]/best[1]
	return nil
}
