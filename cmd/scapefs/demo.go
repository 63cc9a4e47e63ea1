package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v2"

	"github.com/scapefs/scapefs/archive"
	"github.com/scapefs/scapefs/codec"
	"github.com/scapefs/scapefs/fs"
)

func demoCommand() *cli.Command {
	size := byteSize(256 << 20)
	return &cli.Command{
		Name:  "demo",
		Usage: "make a model, pack, mount and read it back, with sizes and speeds",
		Flags: []cli.Flag{
			sizeFlag("size", "make a model of about `BYTES`", &size),
			&cli.StringFlag{Name: "dir", Usage: "work in a new folder within `DIR` (default: the system's temporary folder)"},
			&cli.BoolFlag{Name: "keep", Usage: "leave the files there"},
		},
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 0, 0); err != nil {
				return err
			}
			return demo(c, int64(size))
		},
	}
}

func demo(c *cli.Context, size int64) (err error) {
	dir, err := os.MkdirTemp(c.String("dir"), "scapefs-demo-")
	if err != nil {
		return err
	}
	if dir, err = filepath.Abs(dir); err != nil { // the mount process works elsewhere
		return err
	}
	d := demonstration{
		out:     c.App.Writer,
		stderr:  c.App.ErrWriter,
		plain:   filepath.Join(dir, "plain", "model.safetensors"),
		packed:  filepath.Join(dir, "packed", "model.scape"),
		mount:   filepath.Join(dir, "mount"),
		mounted: filepath.Join(dir, "mount", "model.safetensors"),
	}
	defer func() {
		if c.Bool("keep") {
			fmt.Fprintf(d.out, "\nkept in %s\n", dir)
			return
		}
		err = errors.Join(err, os.RemoveAll(dir))
	}()
	if err := d.prepare(c.Context, size); err != nil {
		return err
	}
	if err := d.pack(c.Context); err != nil {
		return err
	}
	if err := d.readBack(c.Context); err != nil {
		return err
	}
	return d.print()
}

// demonstration is one run of the demo, and what it found.
type demonstration struct {
	out, stderr                   io.Writer
	plain, packed, mount, mounted string

	result               archive.Result
	packTime, verifyTime time.Duration
	races                []race
	peak                 string // memory of the mount
}

// demoCache is the cache of the demo's mount: less than the model, so that
// what is read again is decoded again.
const demoCache = 64 << 20

// race is a way of reading, and how the plain file and the mounted one fared.
type race struct {
	name, way      string
	cold           bool // none of it is in memory
	plain, mounted reading
}

func (d *demonstration) prepare(ctx context.Context, size int64) error {
	for _, dir := range []string{filepath.Dir(d.plain), filepath.Dir(d.packed), d.mount} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	m, err := newDemoModel(size)
	if err != nil {
		return err
	}
	fmt.Fprintf(d.out, "model: %d layers of the %d tensors of stories260K, a trained bf16 model;\n", m.layers, len(m.real.Tensors))
	fmt.Fprintf(d.out, "       each a stack of %d copies, every copy with its elements in another order\n\n", m.copies)
	return m.writeFile(ctx, d.plain)
}

func (d *demonstration) pack(ctx context.Context) error {
	info, err := os.Stat(d.plain)
	if err != nil {
		return err
	}
	b := newBar(d.stderr, "pack", info.Size())
	start := time.Now()
	d.result, err = archive.Pack(ctx, d.packed, d.plain, archive.PackOptions{Method: codec.Auto, Progress: b.set})
	d.packTime = time.Since(start)
	b.end()
	if err != nil {
		return err
	}
	r, err := openArchive(ctx, d.packed)
	if err != nil {
		return err
	}
	defer r.Close()
	start = time.Now()
	err = verifyReader(ctx, d.stderr, "verify", r, 0)
	d.verifyTime = time.Since(start)
	return err
}

// readBack mounts, reads, and unmounts whatever comes.
func (d *demonstration) readBack(ctx context.Context) (err error) {
	a := mountArgs{source: filepath.Dir(d.packed), mountpoint: d.mount, logFormat: "text", cacheSize: demoCache}
	a.logFile = filepath.Join(filepath.Dir(d.mount), "mount.log")
	process, err := a.start(ctx)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, stopMount(process, d.mount))
	}()
	if err := d.race(ctx); err != nil {
		return err
	}
	if err := d.check(ctx); err != nil {
		return err
	}
	d.peak, err = peakMemory(process.Process.Pid)
	return err
}

// race reads the plain file and the mounted one, each in a process of its own.
func (d *demonstration) race(ctx context.Context) (err error) {
	d.races = []race{
		{name: "read from disk", way: "read", cold: true},
		{name: "read again", way: "read"},
		{name: "mmap from disk", way: "touch", cold: true},
		{name: "mmap again", way: "touch"},
	}
	for i := range d.races {
		r := &d.races[i]
		if r.cold {
			if err := errors.Join(dropPages(d.plain), dropPages(d.packed), dropPages(d.mounted)); err != nil {
				return err
			}
		}
		if r.plain, err = startReading(ctx, r.way, d.plain); err != nil {
			return err
		}
		if r.mounted, err = startReading(ctx, r.way, d.mounted); err != nil {
			return err
		}
	}
	return nil
}

// check compares what the mount gives with the original, by read and by mmap.
func (d *demonstration) check(ctx context.Context) error {
	want := hex.EncodeToString(d.result.SHA256[:])
	for _, way := range []string{"hash", "mmap"} {
		if err := dropPages(d.mounted); err != nil { // lest the cache answers
			return err
		}
		r, err := startReading(ctx, way, d.mounted)
		if err != nil {
			return err
		}
		if r.SHA256 != want || r.Bytes != d.result.Original {
			return fmt.Errorf("%s of %s gave %d bytes of SHA-256 %s, the original has %d of %s: %w",
				way, d.mounted, r.Bytes, r.SHA256, d.result.Original, want, archive.ErrCorrupt)
		}
	}
	return nil
}

// stopMount ends a mount process, and does not wait for it for ever.
func stopMount(process *exec.Cmd, mountpoint string) error {
	const patience = 20 * time.Second
	if err := process.Process.Signal(syscall.SIGTERM); err != nil {
		return errors.Join(err, process.Wait(), fs.CleanStale(mountpoint))
	}
	timer := time.AfterFunc(patience, func() { _ = process.Process.Kill() })
	defer timer.Stop()
	return errors.Join(process.Wait(), fs.CleanStale(mountpoint))
}

// peakMemory is the most memory that a process has had, as the kernel counts.
func peakMemory(pid int) (string, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(status)) {
		value, ok := strings.CutPrefix(line, "VmHWM:")
		if !ok {
			continue
		}
		kib, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		return humanize.IBytes(kib << 10), err
	}
	return "", fmt.Errorf("/proc/%d/status: no VmHWM", pid)
}

func (d *demonstration) print() error {
	size := d.result.Original
	w := tabwriter.NewWriter(d.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "original\t%s\n", humanize.IBytes(uint64(size)))
	fmt.Fprintf(w, "archive\t%s\tratio %.3f\n", humanize.IBytes(uint64(d.result.Stored)), ratio(size, d.result.Stored))
	fmt.Fprintf(w, "pack, with verification\t%.0f MB/s\n", mbps(size, d.packTime))
	fmt.Fprintf(w, "verify: decode and hash\t%.0f MB/s\n", mbps(size, d.verifyTime))
	for _, r := range d.races {
		fmt.Fprintf(w, "%s\t%.0f MB/s\tplain file %.0f, so %.2f of it\n",
			r.name, r.mounted.mbps(), r.plain.mbps(), r.mounted.mbps()/r.plain.mbps())
	}
	fmt.Fprintf(w, "peak memory of the mount\t%s\twith a cache of %s\n", d.peak, humanize.IBytes(demoCache))
	fmt.Fprintf(w, "SHA-256 through the mount\tequal by read and by mmap\n")
	return w.Flush()
}
