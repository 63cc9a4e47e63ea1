package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/scapefs/scapefs/codec"
)

// memorySpeed is how fast one core codes from memory to memory.
type memorySpeed struct {
	Input  string  `json:"input"`
	Who    string  `json:"who"`
	Bytes  int     `json:"bytes"`
	Ratio  float64 `json:"ratio"`
	Encode float64 `json:"encode_gbps"`
	Decode float64 `json:"decode_gbps"`
	Over   float64 `json:"decode_over_memcpy"` // by each one's own memcpy
}

// memoryToMemory measures more than the caches hold: every level before and
// after the peers, so that both meet the same machine.
func memoryToMemory(opt options, real weights) ([]memorySpeed, error) {
	noise := gaussian(opt.megabytes * 1000 * 1000 &^ 1)
	var chunks weights
	for data := noise.data; len(data) > 0; {
		n := min(4<<20, len(data))
		chunks = append(chunks, input{name: noise.name, data: data[:n]})
		data = data[n:]
	}
	var list []memorySpeed
	measure := func() error {
		for _, w := range []weights{real, chunks} {
			for _, level := range codec.Levels() {
				s, err := memorySpeedOf(w, level)
				if err != nil {
					return err
				}
				list = append(list, s)
			}
		}
		return nil
	}
	if err := measure(); err != nil {
		return nil, err
	}
	if opt.python == "" {
		return list, nil
	}
	peers, err := peerSpeeds(opt)
	if err != nil {
		return nil, err
	}
	before := list
	list = nil
	if err := measure(); err != nil {
		return nil, err
	}
	for i := range list { // the mean of before and after
		list[i].Encode = (list[i].Encode + before[i].Encode) / 2
		list[i].Decode = (list[i].Decode + before[i].Decode) / 2
		list[i].Over = (list[i].Over + before[i].Over) / 2
	}
	return append(list, peers...), nil
}

func memorySpeedOf(w weights, level codec.Level) (s memorySpeed, err error) {
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
	return s, s.time(original, copied, encode, decode)
}

func (s *memorySpeed) time(original, copied []byte, encode, decode func() error) error {
	var best struct{ encode, decode, memcpy float64 }
	for range 5 { // the best of five, as the peers are measured
		e, err := gbps(s.Bytes, 0, encode)
		if err != nil {
			return err
		}
		m, err := gbps(s.Bytes, 0, func() error { copy(copied, original); return nil })
		if err != nil {
			return err
		}
		d, err := gbps(s.Bytes, 0, decode)
		if err != nil {
			return err
		}
		best.encode, best.decode, best.memcpy = max(best.encode, e), max(best.decode, d), max(best.memcpy, m)
	}
	if !bytes.Equal(original, copied) {
		return fmt.Errorf("%s of %s decodes to other bytes", s.Who, s.Input)
	}
	s.Encode, s.Decode, s.Over = best.encode, best.decode, best.decode/best.memcpy
	return nil
}

// peerSpeeds runs the script that measures the peers.
func peerSpeeds(opt options) ([]memorySpeed, error) {
	dir := opt.corpus
	if dir == "" {
		dir = "testdata"
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.bf16.safetensors"))
	if err != nil {
		return nil, err
	}
	args := []string{opt.peersScript, "--zc", filepath.Join(filepath.Dir(opt.peersScript), "openzl"), "--no-ratio",
		"--only", "^(zipnn|openzl-trained|zstd-3)$", "--speed-mb", strconv.Itoa(opt.megabytes)}
	cmd := exec.Command(opt.python, append(args, files...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", opt.peersScript, err)
	}
	return parsePeers(out)
}

// parsePeers reads the rows "speed, input, bytes, peer, ratio, compress MB/s,
// decompress MB/s, decompress/memcpy, …".
func parsePeers(out []byte) (list []memorySpeed, err error) {
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		f := strings.Split(lines.Text(), "\t")
		if len(f) < 8 || f[0] != "speed" || f[1] == "input" || f[3] == "memcpy" {
			continue
		}
		var v [5]float64
		for i, k := range []int{2, 4, 5, 6, 7} {
			if v[i], err = strconv.ParseFloat(f[k], 64); err != nil {
				return nil, err
			}
		}
		list = append(list, memorySpeed{Input: strings.TrimSuffix(f[1], "-bf16"), Who: f[3], Bytes: int(v[0]),
			Ratio: v[1], Encode: v[2] / 1e3, Decode: v[3] / 1e3, Over: v[4]})
	}
	return list, nil
}
