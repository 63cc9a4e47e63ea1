package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"github.com/scapefs/scapefs/internal/cgroup"
	"github.com/scapefs/scapefs/internal/proc"
)

// bench is what a run has at hand.
type bench struct {
	opt   options
	plain string // folders: the originals,
	packed,
	point string // and where all is mounted
	squashfs, erofs string   // images; "" where no tool makes them
	erofsBy         string   // the compressor that mkfs.erofs has
	zstd            []string // the shards, compressed
}

// served is a folder that can be read.
type served struct {
	dir string
	pid int // of the daemon; 0 if the kernel serves it
	end func() error
}

// subject is something that serves the weights.
type subject struct {
	name  string
	serve func(b *bench, ctx context.Context, limit *cgroup.Group) (served, error)
	warm  bool // everything is read once before
	// archive says to have the archives in the page cache, so that no disk
	// is measured.
	archive bool
}

// The subjects, by what they are called in tables.
var (
	plainCold   = subject{name: "plain, cold", serve: servePlain}
	plainWarm   = subject{name: "plain, warm", serve: servePlain, warm: true}
	zerosMount  = subject{name: "zeros over FUSE", serve: (*bench).zeros}
	scapeCached = subject{name: "scapefs, archive cached", serve: (*bench).scapefs, archive: true}
	scapeCold   = subject{name: "scapefs, cold", serve: (*bench).scapefs}
	scapeWarm   = subject{name: "scapefs, warm", serve: (*bench).scapefs, warm: true}
	squashfs    = subject{name: "squashfs zstd, cold", serve: image("squashfs")}
	erofs       = subject{name: "erofs, cold", serve: image("erofs")}
	zstdCold    = subject{name: "zstd -d, cold"}
)

func servePlain(b *bench, _ context.Context, _ *cgroup.Group) (served, error) {
	return served{dir: b.plain, end: func() error { return nil }}, nil
}

func (b *bench) zeros(ctx context.Context, _ *cgroup.Group) (served, error) {
	pid, end, err := serveZeros(ctx, b.plain, b.point)
	return served{b.point, pid, end}, err
}

// scapefs mounts; the daemon is under limit, if any.
func (b *bench) scapefs(ctx context.Context, limit *cgroup.Group) (served, error) {
	return b.mountFolder(ctx, limit, b.packed)
}

func (b *bench) mountFolder(ctx context.Context, limit *cgroup.Group, src string) (served, error) {
	args := []string{"mount", "--cache-size", strconv.FormatInt(b.opt.cache, 10), src, b.point}
	cmd := exec.CommandContext(ctx, b.opt.scapefs, args...)
	if limit != nil {
		cmd = limit.Command(ctx, b.opt.scapefs, args...)
	}
	if err := runCommand(cmd); err != nil {
		return served{}, err
	}
	end := func() error { return output(context.Background(), b.opt.scapefs, "umount", b.point) }
	pid, err := proc.Daemon(b.point)
	if err != nil {
		return served{}, errors.Join(err, end())
	}
	return served{b.point, pid, func() error { return errors.Join(end(), ended(pid)) }}, nil
}

// ended waits for a daemon to go, and with it its memory.
func ended(pid int) error {
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if unix.Kill(pid, 0) != nil {
			return nil
		}
	}
	return fmt.Errorf("process %d does not end", pid)
}

func image(kind string) func(*bench, context.Context, *cgroup.Group) (served, error) {
	return func(b *bench, ctx context.Context, _ *cgroup.Group) (served, error) {
		path := b.squashfs
		if kind == "erofs" {
			path = b.erofs
		}
		if err := output(ctx, "mount", "-t", kind, "-o", "ro,loop", path, b.point); err != nil {
			return served{}, err
		}
		return served{dir: b.point, end: func() error { return unmount(b.point) }}, nil
	}
}

func output(ctx context.Context, name string, args ...string) error {
	return runCommand(exec.CommandContext(ctx, name, args...))
}

func runCommand(cmd *exec.Cmd) error {
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, out)
	}
	return nil
}

// startTold starts a server and waits for the line by which it says that it is
// ready.
func startTold(ctx context.Context, name string, args ...string) (*exec.Cmd, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		return nil, errors.Join(fmt.Errorf("%s is not ready: %w", strings.Join(cmd.Args, " "), err), cmd.Wait())
	}
	return cmd, nil
}

// unmount tries for a while: readers that have ended may not be gone yet.
func unmount(point string) (err error) {
	for range 50 {
		if err = unix.Unmount(point, 0); !errors.Is(err, unix.EBUSY) {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		return fmt.Errorf("unmount %s: %w", point, err)
	}
	return nil
}

// raiseReadAhead gives a mount the kernel readahead that scapefs gives its own.
func raiseReadAhead(point string) error {
	infos, err := mountinfo.GetMounts(mountinfo.SingleEntryFilter(point))
	if err != nil || len(infos) == 0 {
		return fmt.Errorf("%s: not mounted: %w", point, err)
	}
	path := fmt.Sprintf("/sys/class/bdi/%d:%d/read_ahead_kb", infos[0].Major, infos[0].Minor)
	return os.WriteFile(path, []byte("4096"), 0o644)
}

// dropCaches makes the next reads go to the disk.
func dropCaches() error {
	unix.Sync()
	return os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0o200)
}

// prepare makes the model, packs it anew, and makes the images, unless they are
// there from an earlier run.
func prepare(ctx context.Context, opt options) (*bench, error) {
	if err := os.MkdirAll(opt.dir, 0o755); err != nil {
		return nil, err
	}
	dir, err := filepath.EvalSymlinks(opt.dir) // as the kernel names mounts
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	if opt.scapefs, err = filepath.Abs(opt.scapefs); err != nil {
		return nil, err
	}
	data := filepath.Join(dir, fmt.Sprintf("%d-mib", opt.megabytes))
	b := &bench{opt: opt, plain: filepath.Join(data, "plain"), packed: filepath.Join(data, "packed"), point: filepath.Join(dir, "mnt")}
	if err := os.MkdirAll(b.point, 0o755); err != nil {
		return nil, err
	}
	if err := once(b.plain, func(path string) error { return makeModel(path, opt.megabytes) }); err != nil {
		return nil, err
	}
	if err := os.RemoveAll(b.packed); err != nil {
		return nil, err
	}
	if err := output(ctx, opt.scapefs, "pack", "-o", b.packed, b.plain); err != nil {
		return nil, err
	}
	if err := b.images(ctx, data); err != nil {
		return nil, err
	}
	return b, b.compress(ctx, data)
}

// compress makes what zstd -d reads.
func (b *bench) compress(ctx context.Context, data string) error {
	if _, err := exec.LookPath("zstd"); err != nil {
		return nil
	}
	list, err := shardsOf(b.plain)
	if err != nil {
		return err
	}
	for _, path := range list {
		compressed := filepath.Join(data, filepath.Base(path)+".zst")
		err := once(compressed, func(part string) error {
			return output(ctx, "zstd", "-q", "-3", "-T0", "-f", "-o", part, path)
		})
		if err != nil {
			return err
		}
		b.zstd = append(b.zstd, compressed)
	}
	return nil
}

// images makes those for which there are tools.
func (b *bench) images(ctx context.Context, data string) error {
	if _, err := exec.LookPath("mksquashfs"); err == nil {
		b.squashfs = filepath.Join(data, "squashfs")
		err := once(b.squashfs, func(path string) error {
			return output(ctx, "mksquashfs", b.plain, path, "-comp", "zstd", "-Xcompression-level", "3", "-b", "128K", "-quiet", "-no-progress")
		})
		if err != nil {
			return err
		}
	}
	if _, err := exec.LookPath("mkfs.erofs"); err != nil {
		return nil
	}
	help, _ := exec.CommandContext(ctx, "mkfs.erofs", "--help").CombinedOutput()
	b.erofsBy = "lz4"
	if strings.Contains(string(help), "zstd") {
		b.erofsBy = "zstd"
	}
	b.erofs = filepath.Join(data, "erofs-"+b.erofsBy)
	return once(b.erofs, func(path string) error {
		return output(ctx, "mkfs.erofs", "-z"+b.erofsBy, "-C65536", path, b.plain)
	})
}

// once makes a file or a folder whole, if it is not there.
func once(path string, make func(string) error) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	part := path + ".part"
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	if err := make(part); err != nil {
		return errors.Join(err, os.RemoveAll(part))
	}
	return os.Rename(part, path)
}
