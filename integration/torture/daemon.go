package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/scapefs/scapefs/fs"
	"github.com/scapefs/scapefs/internal/cgroup"
	"github.com/scapefs/scapefs/internal/proc"
)

const (
	memoryLimit = 256 << 20
	cacheSize   = 64 << 20
	fileLimit   = 64

	// commandTime is how long a command of scapefs may take. A mount gives up
	// by itself after half of that.
	commandTime = time.Minute
)

// daemon is how the mount is served: under limits, its log on a full disk.
type daemon struct {
	config
	source, point string
	group         *cgroup.Group // nil where none can be made
	logFile       string        // on a full disk; empty where there is none
	pid           int
	fullDisk      string
	peak          int64
}

func newDaemon(c config, source, point, fullDisk string, r *report) (*daemon, error) {
	d := &daemon{config: c, source: source, point: point}
	if c.race { // which needs much memory, and has something to log
		d.logFile = filepath.Join(fullDisk, "log")
		r.Limits = []string{"the race detector"}
		return d, nil
	}
	r.Limits = []string{fmt.Sprintf("%d descriptors", fileLimit)}
	group, err := cgroup.New(cgroup.Limits{Memory: memoryLimit})
	switch {
	case err == nil:
		d.group = group
		r.Limits = append(r.Limits, "256 MiB of memory, page cache included")
	case !errors.Is(err, cgroup.ErrUnavailable):
		return nil, err
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", fullDisk).CombinedOutput(); err != nil {
		fmt.Fprintf(r.log, "no full disk for the log: %v: %s", err, out)
		return d, nil
	}
	d.fullDisk = fullDisk
	if err := os.WriteFile(fullDisk+"/full", make([]byte, 1<<20), 0o600); !errors.Is(err, unix.ENOSPC) {
		return nil, fmt.Errorf("fill %s: %w", fullDisk, err)
	}
	d.logFile = fullDisk + "/log"
	r.Limits = append(r.Limits, "a full disk for the log")
	return d, nil
}

// start mounts. On a machine so busy that a new process gets no turn, a mount
// that did not answer in time is tried again.
func (d *daemon) start() (err error) {
	for end := time.Now().Add(d.patience); time.Now().Before(end); time.Sleep(pollTime) {
		if err = d.mount(); err == nil {
			return nil
		}
	}
	return err
}

func (d *daemon) mount() error {
	files := fileLimit
	if d.race {
		files *= 16
	}
	args := []string{"-c", `ulimit -n "$0"; exec "$@"`, strconv.Itoa(files),
		d.program, "mount", "--cache-size", strconv.Itoa(cacheSize)}
	if d.logFile != "" {
		args = append(args, "--log-file", d.logFile)
	}
	args = append(args, d.source, d.point)
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	defer cancel()
	var cmd *exec.Cmd
	if d.group != nil {
		cmd = d.group.Command(ctx, "sh", args...)
	} else {
		cmd = exec.CommandContext(ctx, "sh", args...)
	}
	cmd.Env = append(os.Environ(), "GORACE=halt_on_error=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("mount: %w: %s", err, out)
	}
	var err error
	d.pid, err = proc.Daemon(d.point)
	return err
}

// kill ends the daemon without a chance to clean up.
func (d *daemon) kill() error {
	d.usage()
	return unix.Kill(d.pid, unix.SIGKILL)
}

// umount takes the mount away, lazily if it is in use.
func (d *daemon) umount() error {
	d.usage()
	_, err := d.command("umount", d.point)
	return err
}

func (d *daemon) command(args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	defer cancel()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, d.program, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("scapefs %v: %w: %s", args, err, &stderr)
	}
	return out, err
}

// alive reports whether the daemon is there.
func (d *daemon) alive() bool { return unix.Kill(d.pid, 0) == nil }

// lastWords is the end of what the daemon has logged.
func (d *daemon) lastWords() string {
	b, err := os.ReadFile(d.logFile)
	if err != nil {
		return "" // there is no log
	}
	return string(b[max(0, len(b)-8<<10):])
}

// gone waits for the daemon's end.
func (d *daemon) gone() bool {
	for end := time.Now().Add(d.patience); time.Now().Before(end); time.Sleep(pollTime) {
		if !d.alive() {
			return true
		}
	}
	return false
}

// usage keeps the most memory that any daemon had.
func (d *daemon) usage() proc.Usage {
	u, err := proc.Of(d.pid)
	if err != nil {
		return proc.Usage{} // it is dead
	}
	d.peak = max(d.peak, u.Peak)
	return u
}

// status is what the daemon says of itself.
func (d *daemon) status() (s fs.Status, err error) {
	out, err := d.command("status", "--json", d.point)
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(out, &s)
}

// sample is what the daemon holds now.
func (d *daemon) sample() (sample, fs.Status, error) {
	s, err := d.status()
	if err != nil {
		return sample{}, s, err
	}
	u := d.usage()
	return sample{RSS: u.Resident, Heap: s.HeapBytes, Files: u.Files, Goroutines: s.Goroutines}, s, nil
}

// close frees what the daemon stood on. It has ended.
func (d *daemon) close() error {
	var errs []error
	if d.fullDisk != "" {
		errs = append(errs, unix.Unmount(d.fullDisk, unix.MNT_DETACH))
	}
	if d.group != nil {
		errs = append(errs, d.group.Close())
	}
	return errors.Join(errs...)
}
