package main

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/scapefs/scapefs/codec"
)

// timing is how long things are measured: rounds of so long, of which the median
// counts.
type timing struct {
	rounds int
	round  time.Duration
}

// chunkSpeed is how fast one core codes a chunk that stays in the cache.
type chunkSpeed struct {
	Input   string  `json:"input"`
	Level   string  `json:"level"`
	Backend string  `json:"backend"`
	Ratio   float64 `json:"ratio"`
	Encode  float64 `json:"encode_gbps"`
	Decode  float64 `json:"decode_gbps"`
	Over    float64 `json:"decode_over_memcpy"` // of the same rounds
}

func chunkSpeeds(in input, t timing) (list []chunkSpeed, err error) {
	defer func(best string) { err = errors.Join(err, codec.SetBackend(best)) }(codec.Backend())
	for _, level := range codec.Levels() {
		for _, backend := range codec.Backends() {
			if err := codec.SetBackend(backend); err != nil {
				return nil, err
			}
			s, err := speedOf(in, level, t)
			if err != nil {
				return nil, fmt.Errorf("%s, %v, %s: %w", in.name, level, backend, err)
			}
			s.Backend = backend
			list = append(list, s)
		}
	}
	return list, nil
}

func speedOf(in input, level codec.Level, t timing) (s chunkSpeed, err error) {
	enc := newEncoder(level)
	encode := func() error { _, err := enc.Encode(in.data, codec.BF16, in.parts); return err }
	c, err := newCoded(enc, in)
	if err != nil {
		return s, err
	}
	dst, copied := make([]byte, len(in.data)), make([]byte, len(in.data))
	dec := codec.NewDecoder()
	decode := func() error { return c.decode(dec, dst) }
	if err := decode(); err != nil || !bytes.Equal(dst, in.data) {
		return s, fmt.Errorf("decodes to other bytes, or not: %w", err)
	}
	var encodes, decodes, overs []float64
	for range t.rounds {
		e, err := gbps(len(in.data), t.round, encode)
		if err != nil {
			return s, err
		}
		m, err := gbps(len(in.data), t.round/4, func() error { copy(copied, in.data); return nil })
		if err != nil {
			return s, err
		}
		d, err := gbps(len(in.data), t.round, decode)
		if err != nil {
			return s, err
		}
		encodes, decodes, overs = append(encodes, e), append(decodes, d), append(overs, d/m)
	}
	return chunkSpeed{Input: in.name, Level: level.String(), Ratio: c.ratio(), Encode: median(encodes), Decode: median(decodes), Over: median(overs)}, nil
}

func newEncoder(level codec.Level) *codec.Encoder {
	enc := codec.NewEncoder(codec.Auto, 0)
	enc.SetLevel(level)
	return enc
}

// coded is a chunk, coded.
type coded struct {
	chunk   *codec.Chunk
	header  []byte
	payload []byte
	size    int // of the original
}

func newCoded(enc *codec.Encoder, in input) (*coded, error) {
	e, err := enc.Encode(in.data, codec.BF16, in.parts)
	if err != nil {
		return nil, err
	}
	c := &coded{header: bytes.Clone(e.Header), size: len(in.data)}
	c.payload = append(make([]byte, 0, len(e.Payload)+codec.Padding), e.Payload...)
	c.chunk, err = codec.ParseChunk(c.header, c.size)
	return c, err
}

func (c *coded) ratio() float64 { return float64(c.size) / float64(len(c.header)+len(c.payload)) }

func (c *coded) decode(dec *codec.Decoder, dst []byte) error {
	for i := range c.chunk.NumBlocks() {
		if err := c.decodeBlock(dec, c.chunk, i, dst); err != nil {
			return err
		}
	}
	return nil
}

func (c *coded) decodeBlock(dec *codec.Decoder, chunk *codec.Chunk, i int, dst []byte) error {
	b := chunk.Block(i)
	return dec.Decode(chunk, i, dst[b.Off:b.Off+b.Len], c.payload[b.StoredOff:b.StoredOff+b.StoredLen], nil)
}

// gbps does fn, which handles n bytes, for about a round.
func gbps(n int, round time.Duration, fn func() error) (float64, error) {
	start := time.Now()
	for times := 1; ; times++ {
		if err := fn(); err != nil {
			return 0, err
		}
		if spent := time.Since(start); spent >= round {
			return float64(n) * float64(times) / 1e9 / spent.Seconds(), nil
		}
	}
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}

func memcpySpeed(t timing) float64 {
	src, dst := gaussian(4<<20).data, make([]byte, 4<<20)
	var speeds []float64
	for range t.rounds {
		s, _ := gbps(len(src), t.round/4, func() error { copy(dst, src); return nil })
		speeds = append(speeds, s)
	}
	return median(speeds)
}

// blockTime is what one block of a chunk takes by itself, its chunk header
// parsed and its tables made anew, in microseconds.
type blockTime struct {
	Bytes int     `json:"bytes"`
	Alone float64 `json:"alone_us"`
	Share float64 `json:"share_of_chunk_us"`
}

func timeBlock(t timing) (b blockTime, err error) {
	in := gaussian(4 << 20)
	c, err := newCoded(newEncoder(codec.Balanced), in)
	if err != nil {
		return b, err
	}
	dec, dst := codec.NewDecoder(), make([]byte, len(in.data))
	b.Bytes = c.chunk.Block(1).Len
	var alone, share []float64
	for range t.rounds {
		s, err := gbps(b.Bytes, t.round, func() error {
			fresh, err := codec.ParseChunk(c.header, c.size)
			if err != nil {
				return err
			}
			return c.decodeBlock(dec, fresh, 1, dst)
		})
		if err != nil {
			return b, err
		}
		alone = append(alone, float64(b.Bytes)/s/1e3)
		if s, err = gbps(c.size, t.round, func() error { return c.decode(dec, dst) }); err != nil {
			return b, err
		}
		share = append(share, float64(b.Bytes)/s/1e3)
	}
	b.Alone, b.Share = median(alone), median(share)
	return b, nil
}
