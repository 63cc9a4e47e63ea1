package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"time"

	"github.com/scapefs/scapefs/fs"
	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"
)

// reading is what a reader process tells of a file it has read.
type reading struct {
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"`
	SHA256  string  `json:"sha256,omitempty"`
}

func (r reading) mbps() float64 { return float64(r.Bytes) / 1e6 / r.Seconds }

// demoReadCommand reads a file for the demo: a process must not read from a
// mount that it serves, and a reader should look like any other program.
func demoReadCommand() *cli.Command {
	return &cli.Command{
		Name:      "demo-read",
		Usage:     "read a file in one way",
		ArgsUsage: "read|touch|hash|mmap FILE",
		Hidden:    true,
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 2, 2); err != nil {
				return err
			}
			r, err := readOneWay(c.Context, c.Args().Get(0), c.Args().Get(1))
			if err != nil {
				return err
			}
			return json.NewEncoder(c.App.Writer).Encode(r)
		},
	}
}

func readOneWay(ctx context.Context, way, path string) (reading, error) {
	f, err := os.Open(path)
	if err != nil {
		return reading{}, err
	}
	defer f.Close()
	var n int64
	h := sha256.New()
	start := time.Now()
	switch way {
	case "read":
		n, err = readAll(io.Discard, contextReader{ctx, f})
		h = nil
	case "hash":
		n, err = readAll(h, contextReader{ctx, f})
	case "mmap":
		n, err = readMapped(h, f)
	case "touch":
		n, err = readMapped(pageToucher{}, f)
		h = nil
	default:
		err = usagef("demo-read: no way to read is called %q", way)
	}
	r := reading{Bytes: n, Seconds: time.Since(start).Seconds()}
	if h != nil {
		r.SHA256 = hex.EncodeToString(h.Sum(nil))
	}
	return r, err
}

// readAll reads by 1 MiB at a time, as cat does.
func readAll(w io.Writer, r io.Reader) (int64, error) {
	w = struct{ io.Writer }{w} // lest a ReadFrom takes pieces of its own
	return io.CopyBuffer(w, r, make([]byte, 1<<20))
}

// readMapped reads a file by page faults. Pages that cannot be had end the
// process with SIGBUS.
func readMapped(w io.Writer, f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return 0, err
	}
	data, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return 0, fmt.Errorf("mmap %s: %w", f.Name(), err)
	}
	n, err := w.Write(data)
	return int64(n), errors.Join(err, unix.Munmap(data))
}

// pageToucher reads a byte of every page, as whoever uses all of a mapping.
type pageToucher struct{}

func (pageToucher) Write(p []byte) (int, error) {
	sum := byte(0)
	for i := 0; i < len(p); i += 4096 {
		sum += p[i]
	}
	runtime.KeepAlive(sum) // lest the compiler drops the reads
	return len(p), nil
}

// startReading reads path in another process.
func startReading(ctx context.Context, way, path string) (reading, error) {
	self, err := os.Executable()
	if err != nil {
		return reading{}, err
	}
	cmd := exec.CommandContext(ctx, self, "demo-read", way, path)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return reading{}, fmt.Errorf("%s of %s: %w", way, path, err)
	}
	var r reading
	return r, json.Unmarshal(out, &r)
}

// dropPages asks the kernel to forget the cached pages of a file, so that the
// next reader waits for the disk.
func dropPages(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return fs.Evict(f)
}
