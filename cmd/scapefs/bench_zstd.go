package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"time"

	"github.com/klauspost/compress/zstd"
)

// zstdLevel is the level that is measured: the program's default.
const zstdLevel = 3

// benchZstd is what zstd makes of the same bytes, on one core.
type benchZstd struct {
	Program string  `json:"program"` // which, and its version
	Level   int     `json:"level"`
	Ratio   float64 `json:"ratio"`
	Encode  float64 `json:"encode_mbps"`
	Decode  float64 `json:"decode_mbps"`
}

// measureZstd has the program zstd measure itself, or if there is none, the
// package that scapefs has built in.
func measureZstd(ctx context.Context, samples []*sample, budget time.Duration) (benchZstd, error) {
	program, err := exec.LookPath("zstd")
	if err != nil {
		return measureGoZstd(ctx, samples, budget)
	}
	return runZstd(ctx, program, samples, budget)
}

func runZstd(ctx context.Context, program string, samples []*sample, budget time.Duration) (z benchZstd, err error) {
	f, err := os.CreateTemp("", "scapefs-bench-")
	if err != nil {
		return z, err
	}
	defer os.Remove(f.Name())
	for _, s := range samples {
		for _, c := range s.chunks {
			if _, err := f.Write(c.data); err != nil {
				return z, errors.Join(err, f.Close())
			}
		}
	}
	if err := f.Close(); err != nil {
		return z, err
	}
	args := []string{"-q", fmt.Sprintf("-b%d", zstdLevel), fmt.Sprintf("-i%d", int(budget.Seconds())), "-T1", f.Name()}
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	if err != nil {
		return z, fmt.Errorf("%s: %w: %s", program, err, out)
	}
	return parseZstd(out)
}

var (
	zstdVersion = regexp.MustCompile(`bench (\d+\.\d+\.\d+)`)
	zstdSpeeds  = regexp.MustCompile(`\(([\d.]+)\)\s+([\d.]+) MB/s\s+([\d.]+) MB/s`)
)

// parseZstd reads what `zstd -q -b` prints:
//
//	bench 1.5.7 : input 524536 bytes, 1 seconds, 0 KB blocks
//	-3       411133 (1.276) 411.95 MB/s 1734.8 MB/s  name
func parseZstd(out []byte) (z benchZstd, err error) {
	version, values := zstdVersion.FindSubmatch(out), zstdSpeeds.FindSubmatch(out)
	if version == nil || values == nil {
		return z, fmt.Errorf("zstd -b printed what scapefs does not understand: %q", out)
	}
	z = benchZstd{Program: fmt.Sprintf("the program zstd %s, by its own -b", version[1]), Level: zstdLevel}
	for i, field := range []*float64{&z.Ratio, &z.Encode, &z.Decode} {
		if *field, err = strconv.ParseFloat(string(values[i+1]), 64); err != nil {
			return z, err
		}
	}
	return z, nil
}

// measureGoZstd codes a chunk at a time by github.com/klauspost/compress.
func measureGoZstd(ctx context.Context, samples []*sample, budget time.Duration) (z benchZstd, err error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return z, err
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return z, err
	}
	defer dec.Close()
	var chunks []*codedChunk
	var original, stored int64
	for _, s := range samples {
		for _, c := range s.chunks {
			coded := &codedChunk{sampleChunk: c, payload: enc.EncodeAll(c.data, nil)}
			chunks = append(chunks, coded)
			original, stored = original+int64(c.Len), stored+int64(len(coded.payload))
		}
	}
	z = benchZstd{Program: "klauspost/compress, a stand-in at its default level: there is no program zstd", Level: zstdLevel, Ratio: ratio(original, stored)}
	worker := []*benchWorker{{}}
	var dst []byte
	z.Encode, err = runTogether(ctx, chunks, worker, budget, func(_ *benchWorker, c *codedChunk) error {
		dst = enc.EncodeAll(c.data, dst[:0])
		return nil
	})
	if err != nil {
		return z, err
	}
	z.Decode, err = runTogether(ctx, chunks, worker, budget, func(_ *benchWorker, c *codedChunk) (err error) {
		dst, err = dec.DecodeAll(c.payload, dst[:0])
		return err
	})
	return z, err
}
