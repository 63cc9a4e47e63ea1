package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/scapefs/scapefs/archive"
)

// fioCommand reads the shards of dir by fio, over io_uring.
func fioCommand(options []string, dir string) (string, []string, error) {
	list, err := shardsOf(dir)
	if err != nil {
		return "", nil, err
	}
	args := []string{"--name=bench", "--readonly", "--ioengine=io_uring", "--thread", "--invalidate=0",
		"--file_service_type=sequential", "--output-format=json", "--filename=" + strings.Join(list, ":")}
	return "fio", append(args, options...), nil
}

func fioSample(out []byte) (sample, error) {
	var report struct {
		Jobs []struct {
			Read struct {
				Bytes   int64 `json:"io_bytes"`
				Ops     int   `json:"total_ios"`
				Runtime int64 `json:"runtime"` // ms
				Latency struct {
					Max         float64            `json:"max"` // ns
					Percentiles map[string]float64 `json:"percentile"`
				} `json:"clat_ns"`
			} `json:"read"`
		} `json:"jobs"`
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return sample{}, fmt.Errorf("fio: %w", err)
	}
	if len(report.Jobs) != 1 || report.Jobs[0].Read.Bytes == 0 {
		return sample{}, errors.New("fio read nothing")
	}
	r := report.Jobs[0].Read
	return sample{
		Bytes:   r.Bytes,
		Ops:     r.Ops,
		Seconds: float64(r.Runtime) / 1e3,
		P50:     r.Latency.Percentiles["50.000000"] / 1e3,
		P99:     r.Latency.Percentiles["99.000000"] / 1e3,
		Max:     r.Latency.Max / 1e3,
	}, nil
}

// unzstd decompresses the shards by zstd -d, one after the other.
func (b *bench) unzstd(ctx context.Context) (m measurement, err error) {
	line := append([]string{"-c", `zstd -d -q -c "$@" >/dev/null`, "sh"}, b.zstd...)
	start := time.Now()
	m, _, err = watch(exec.CommandContext(ctx, "/bin/sh", line...), 0)
	m.Seconds = time.Since(start).Seconds()
	if err != nil {
		return m, err
	}
	m.Bytes, err = sizeOf(filepath.Join(b.plain, "model"))
	m.Ops = len(b.zstd)
	return m, err
}

// timeBlock gives the median time, in microseconds, that one core takes to read
// one block from the page cache and to decode it.
func (b *bench) timeBlock(ctx context.Context) (float64, error) {
	shards, err := filepath.Glob(filepath.Join(b.packed, "model", "*.scape"))
	if err != nil || len(shards) == 0 {
		return 0, fmt.Errorf("no archives in %s: %w", b.packed, err)
	}
	src, err := archive.OpenFile(shards[0])
	if err != nil {
		return 0, err
	}
	r, err := archive.Open(ctx, src)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	var times []float64
	for round := range 2 { // the first one brings the archive in
		times = times[:0]
		for n := 1; n < len(r.Index().Rows) && n < 50; n++ {
			c, err := r.Chunk(ctx, n)
			if err != nil {
				return 0, err
			}
			block := min(round, c.NumBlocks()-1)
			dst := make([]byte, c.Block(block).Len)
			start := time.Now()
			if err := r.DecodeBlock(ctx, n, block, dst); err != nil {
				return 0, err
			}
			times = append(times, float64(time.Since(start).Nanoseconds())/1e3)
		}
	}
	return median(times), nil
}

// firstByte measures the time from the command mount to the first byte of a
// file, where there are 1,000 archives, and what listing them opens.
func (b *bench) firstByte(ctx context.Context, res *result) error {
	if err := dropCaches(); err != nil {
		return err
	}
	start := time.Now()
	on, err := b.mountFolder(ctx, nil, filepath.Join(b.packed, "small"))
	if err != nil {
		return err
	}
	end := func(err error) error { return errors.Join(err, on.end()) }
	names, err := os.ReadDir(on.dir)
	if err != nil {
		return end(err)
	}
	status, err := b.status(ctx)
	if err != nil {
		return end(err)
	}
	res.Opens = max(res.Opens, status.Opens)
	f, err := os.Open(filepath.Join(on.dir, names[len(names)-1].Name()))
	if err != nil {
		return end(err)
	}
	_, err = f.Read(make([]byte, 1))
	res.First = append(res.First, time.Since(start).Seconds())
	return end(errors.Join(err, f.Close()))
}

// mountStatus is what the mount tells of itself, in part.
type mountStatus struct {
	PID        int   `json:"pid"`
	Opens      int   `json:"opens"` // archives
	CacheLimit int64 `json:"cache_limit"`
}

func (b *bench) status(ctx context.Context) (s mountStatus, err error) {
	out, err := exec.CommandContext(ctx, b.opt.scapefs, "status", "--json", b.point).Output()
	if err != nil {
		return s, fmt.Errorf("status: %w", err)
	}
	return s, json.Unmarshal(out, &s)
}
