package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/scapefs/scapefs/fs"
	"github.com/scapefs/scapefs/index"
	"github.com/scapefs/scapefs/internal/cgroup"
	"github.com/scapefs/scapefs/internal/proc"
)

// commandTime bounds each command: an hour is enough for the whole model on a
// slow machine.
const commandTime = time.Hour

// trial is a model on its way.
type trial struct {
	config
	shards  []*shard
	archive string // folder
	point   string
	group   *cgroup.Group // nil where none can be made
	result  *result
	log     io.Writer
}

// scale does all there is to do.
func scale(c config, log io.Writer) (_ *result, err error) {
	all := qwen(c.shrink)
	t := &trial{config: c, shards: split(all), archive: filepath.Join(c.dir, "archives"), point: filepath.Join(c.dir, "mount"),
		result: &result{Tensors: len(all)}, log: log}
	for _, dir := range []string{t.archive, t.point} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return nil, err
		}
	}
	switch t.group, err = cgroup.New(cgroup.Limits{Memory: c.memory}); {
	case err == nil:
		t.result.Limit = c.memory
		defer func() { err = errors.Join(err, t.group.Close()) }()
	case errors.Is(err, cgroup.ErrUnavailable):
		t.group = nil
	default:
		return nil, err
	}
	for _, s := range t.shards {
		if err := t.pack(s); err != nil {
			return nil, err
		}
	}
	if t.result.Verify, err = t.timed("verify", t.program, "verify", t.archive); err != nil {
		return nil, err
	}
	if err := t.mounted(); err != nil {
		return nil, err
	}
	t.result.Simulation, err = simulate(1e12)
	return t.result, err
}

// pack makes one file, packs it, and removes it.
func (t *trial) pack(s *shard) error {
	fmt.Fprintf(t.log, "making %s, %d tensors\n", s.name, len(s.tensors))
	path := filepath.Join(t.archive, s.name)
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := errors.Join(s.write(f), f.Close()); err != nil {
		return err
	}
	took, err := t.timed("pack", t.program, "pack", "--replace", "--level", t.level, path)
	if err != nil {
		return err
	}
	r := t.result
	r.Pack.Seconds += took.Seconds
	r.Pack.Peak = max(r.Pack.Peak, took.Peak)
	r.Bytes += s.size()
	stored, indexed, err := lengths(path[:len(path)-len("safetensors")] + "scape")
	r.Stored += stored
	r.IndexBytes += indexed
	return err
}

// lengths gives the size of an archive and of its index.
func lengths(path string) (stored, indexed int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, 0, err
	}
	b := make([]byte, index.TrailerLen)
	if _, err := f.ReadAt(b, info.Size()-index.TrailerLen); err != nil {
		return 0, 0, err
	}
	trailer, err := index.ParseTrailer(b, info.Size())
	return info.Size(), trailer.IndexLen, err
}

// timed runs a command within the limit.
func (t *trial) timed(what, name string, args ...string) (step, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	defer cancel()
	cmd := t.command(ctx, name, args...)
	start := time.Now()
	out, err := cmd.CombinedOutput()
	s := step{Seconds: time.Since(start).Seconds()}
	if err != nil {
		return s, fmt.Errorf("%s: %w: %s", what, err, out)
	}
	if used, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		s.Peak = used.Maxrss << 10
	}
	fmt.Fprintf(t.log, "%s took %.1f s\n", what, s.Seconds)
	return s, nil
}

func (t *trial) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	if t.group != nil {
		return t.group.Command(ctx, name, args...)
	}
	return exec.CommandContext(ctx, name, args...)
}

// mounted mounts, reads all, and unmounts.
func (t *trial) mounted() (err error) {
	if _, err := t.timed("mount", t.program, "mount", "--cache-size", strconv.FormatInt(t.memory/4, 10), t.archive, t.point); err != nil {
		return err
	}
	defer func() {
		_, end := t.timed("umount", t.program, "umount", t.point)
		err = errors.Join(err, end)
	}()
	r := t.result
	if r.Read, err = t.each("read", func(s *shard, f *os.File) error {
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{f}, make([]byte, 1<<20))
		if err == nil && n != s.size() {
			err = fmt.Errorf("%d bytes, want %d", n, s.size())
		}
		return errors.Join(err, fs.Evict(f))
	}); err != nil {
		return err
	}
	if r.Compare, err = t.each("compare", func(s *shard, f *os.File) error {
		return s.write(&comparer{f: f, buf: make([]byte, 1<<20)})
	}); err != nil {
		return err
	}
	if err := t.load(); err != nil {
		return err
	}
	pid, err := proc.Daemon(t.point)
	if err != nil {
		return err
	}
	used, err := proc.Of(pid)
	r.MountPeak = used.Peak
	return err
}

// each does something to every file of the mount.
func (t *trial) each(what string, do func(*shard, *os.File) error) (step, error) {
	start := time.Now()
	for _, s := range t.shards {
		f, err := os.Open(filepath.Join(t.point, s.name))
		if err != nil {
			return step{}, err
		}
		if err := errors.Join(do(s, f), f.Close()); err != nil {
			return step{}, fmt.Errorf("%s %s: %w", what, s.name, err)
		}
	}
	s := step{Seconds: time.Since(start).Seconds()}
	fmt.Fprintf(t.log, "%s took %.1f s\n", what, s.Seconds)
	return s, nil
}

// comparer is written what a file must hold.
type comparer struct {
	f   *os.File
	buf []byte
	at  int64
}

func (c *comparer) Write(want []byte) (int, error) {
	for done := 0; done < len(want); {
		got := c.buf[:min(len(want)-done, len(c.buf))]
		if _, err := io.ReadFull(c.f, got); err != nil {
			return done, err
		}
		if !bytes.Equal(got, want[done:done+len(got)]) {
			return done, fmt.Errorf("wrong bytes in [%d, %d)", c.at, c.at+int64(len(got)))
		}
		done += len(got)
		c.at += int64(len(got))
	}
	return len(want), nil
}

// loadScript has the safetensors library give every tensor, and touches every
// page of it.
const loadScript = `
import sys, torch
from safetensors import safe_open
n = 0
for path in sys.argv[2:]:
    with safe_open(path, "pt") as f:
        for name in f.keys():
            t = f.get_tensor(name)
            t.view(torch.uint8).flatten()[::4096].sum()
            n += 1
sys.exit(n != int(sys.argv[1]))
`

// load loads the model with Python, where there is one that can.
func (t *trial) load() error {
	if exec.Command(t.python, "-c", "import safetensors, torch").Run() != nil {
		fmt.Fprintf(t.log, "not loaded with safetensors: %s does not have it\n", t.python)
		return nil
	}
	args := []string{"-c", loadScript, strconv.Itoa(t.result.Tensors)}
	for _, s := range t.shards {
		args = append(args, filepath.Join(t.point, s.name))
	}
	s, err := t.timed("safetensors", t.python, args...)
	t.result.Python = &s
	return err
}
