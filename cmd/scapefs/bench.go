package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v2"

	"github.com/scapefs/scapefs/archive"
	"github.com/scapefs/scapefs/codec"
	"github.com/scapefs/scapefs/index"
)

// benchLimit is how many bytes are measured, over all files.
const benchLimit = 256 << 20

func benchCommand() *cli.Command {
	return &cli.Command{
		Name:      "bench",
		Usage:     "measure ratio and speed of the methods on files of yours, next to memcpy",
		ArgsUsage: "FILE...",
		Description: "Speeds are of one core, from memory to memory. The ratio is that of a whole archive.\n" +
			"Of large files the first chunks are measured, 256 MiB in all.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "json", Usage: "print one JSON object"},
			&cli.DurationFlag{Name: "time", Value: time.Second, Usage: "decode for `T` with each method"},
		},
		Action: bench,
	}
}

// benchResult is what bench tells. The names of its fields in JSON are stable.
type benchResult struct {
	Files   []benchFile   `json:"files"`
	Backend string        `json:"backend"`     // the kernels that decode
	Memcpy  float64       `json:"memcpy_mbps"` // 10^6 bytes a second, as all speeds
	Methods []benchMethod `json:"methods"`
}

type benchFile struct {
	Path     string `json:"path"`
	Size     int64  `json:"size"`
	Measured int64  `json:"measured_bytes"` // less than size if only a part was
}

type benchMethod struct {
	Method string  `json:"method"`
	Ratio  float64 `json:"ratio"`
	Encode float64 `json:"encode_mbps"`
	Decode float64 `json:"decode_mbps"`
	Over   float64 `json:"decode_over_memcpy"`
}

func bench(c *cli.Context) error {
	if err := wantArgs(c, 1, -1); err != nil {
		return err
	}
	budget := c.Duration("time")
	if budget <= 0 {
		return usagef("--time %v: give a time above 0", budget)
	}
	samples, err := takeSamples(c.Args().Slice(), benchLimit)
	if err != nil {
		return err
	}
	res, err := measure(c.Context, c.App.ErrWriter, samples, budget)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return writeJSON(c.App.Writer, res)
	}
	return res.print(c.App.Writer)
}

func measure(ctx context.Context, stderr io.Writer, samples []*sample, budget time.Duration) (benchResult, error) {
	res := benchResult{Backend: codec.Backend()}
	for _, s := range samples {
		res.Files = append(res.Files, s.benchFile)
	}
	var copies []float64
	for _, m := range append(codec.Methods(), codec.Auto) {
		e := encoding{method: m}
		if err := e.encodeAll(ctx, stderr, samples); err != nil {
			return res, err
		}
		decodes, more, err := e.race(ctx, budget)
		if err != nil {
			return res, fmt.Errorf("%v: %w", m, err)
		}
		copies = append(copies, more...)
		decode := median(decodes)
		res.Methods = append(res.Methods, benchMethod{
			Method: m.String(),
			Ratio:  ratio(e.original, e.stored),
			Encode: e.mbps,
			Decode: decode,
			Over:   decode / median(more), // of the same seconds
		})
	}
	res.Memcpy = median(copies)
	return res, nil
}

// encoding is all samples, coded by one method.
type encoding struct {
	method           codec.Method
	chunks           []codedChunk
	original, stored int64
	mbps             float64
}

type codedChunk struct {
	data    []byte // original
	chunk   *codec.Chunk
	payload []byte
}

func (e *encoding) encodeAll(ctx context.Context, stderr io.Writer, samples []*sample) error {
	var total int64
	for _, s := range samples {
		total += s.Measured
	}
	b := newBar(stderr, e.method.String(), total)
	defer b.end()
	enc := codec.NewEncoder(e.method, 0)
	var spent time.Duration
	for _, s := range samples {
		took, err := e.encode(ctx, enc, s, func() { b.set(e.original, total) })
		if err != nil {
			return fmt.Errorf("%s: %v: %w", s.Path, e.method, err)
		}
		spent += took
	}
	e.mbps = mbps(e.original, spent)
	return nil
}

// encode codes one sample, and lays an archive of it out to know its size.
func (e *encoding) encode(ctx context.Context, enc *codec.Encoder, s *sample, progress func()) (spent time.Duration, err error) {
	idx := index.Index{Meta: index.Meta{Name: filepath.Base(s.Path), Size: s.Measured, ChunkSize: archive.DefaultChunkLen}}
	pos := int64(index.HeaderLen)
	for i, c := range s.chunks {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		start := time.Now()
		coded, err := enc.Encode(c.data, c.Elem, c.Parts)
		spent += time.Since(start)
		if err != nil {
			return 0, err
		}
		row := index.Row{Pos: pos, Len: uint32(c.Len), HeaderLen: uint32(len(coded.Header)), PayloadLen: uint32(len(coded.Payload))}
		if c.first < i {
			row = idx.Rows[c.first]
		} else {
			pos = row.RecordEnd()
		}
		row.Off = c.Off
		idx.Rows = append(idx.Rows, row)
		if err := e.keep(c.data, coded); err != nil {
			return 0, err
		}
		e.original += int64(c.Len)
		progress()
	}
	table, err := idx.Marshal()
	e.stored += pos + int64(len(table)) + index.TrailerLen
	return spent, err
}

// keep copies a chunk out of the encoder's memory.
func (e *encoding) keep(data []byte, coded codec.Encoded) error {
	chunk, err := codec.ParseChunk(coded.Header, len(data))
	if err != nil {
		return err
	}
	payload := make([]byte, len(coded.Payload), len(coded.Payload)+codec.Padding)
	copy(payload, coded.Payload)
	e.chunks = append(e.chunks, codedChunk{data, chunk, payload})
	return nil
}

// race decodes for about budget, in turns with memcpy of the same blocks, so
// that both meet the same machine. It gives the speeds of each turn.
func (e *encoding) race(ctx context.Context, budget time.Duration) (decodes, copies []float64, err error) {
	const turns = 5
	dec := codec.NewDecoder()
	dst := make([]byte, codec.MaxBlockLen)
	var decodeAt, copyAt int
	decode := func(c *codedChunk, i int, b codec.Block) error {
		return dec.Decode(c.chunk, i, dst[:b.Len], c.payload[b.StoredOff:b.StoredOff+b.StoredLen], nil)
	}
	memcpy := func(c *codedChunk, _ int, b codec.Block) error {
		copy(dst[:b.Len], c.data[b.Off:b.Off+b.Len])
		return nil
	}
	for range turns {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		speed, err := e.run(budget/turns, &decodeAt, decode)
		if err != nil {
			return nil, nil, err
		}
		decodes = append(decodes, speed)
		speed, err = e.run(budget/turns/4, &copyAt, memcpy)
		if err != nil {
			return nil, nil, err
		}
		copies = append(copies, speed)
	}
	return decodes, copies, nil
}

// run does fn with block after block, from chunk *at on, until the time is up,
// and gives the speed.
func (e *encoding) run(budget time.Duration, at *int, fn func(c *codedChunk, i int, b codec.Block) error) (float64, error) {
	start := time.Now()
	var done int64
	for {
		c := &e.chunks[*at]
		*at = (*at + 1) % len(e.chunks)
		for i := range c.chunk.NumBlocks() {
			b := c.chunk.Block(i)
			if err := fn(c, i, b); err != nil {
				return 0, err
			}
			done += int64(b.Len)
		}
		if spent := time.Since(start); spent >= budget {
			return mbps(done, spent), nil
		}
	}
}

func mbps(n int64, d time.Duration) float64 {
	return float64(n) / 1e6 / max(d.Seconds(), 1e-9)
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}

func (r benchResult) print(out io.Writer) error {
	for _, f := range r.Files {
		part := ""
		if f.Measured < f.Size {
			part = fmt.Sprintf(", of which the first %s are measured", humanize.IBytes(uint64(f.Measured)))
		}
		fmt.Fprintf(out, "%s: %s%s\n", f.Path, humanize.IBytes(uint64(f.Size)), part)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "\nmethod\tratio\tencode MB/s\tdecode MB/s\tof memcpy\t\n")
	for _, m := range r.Methods {
		fmt.Fprintf(w, "%s\t%.4f\t%.0f\t%.0f\t%.1f %%\t\n", m.Method, m.Ratio, m.Encode, m.Decode, 100*m.Over)
	}
	fmt.Fprintf(w, "memcpy\t\t\t%.0f\t\t\n", r.Memcpy)
	return w.Flush()
}
