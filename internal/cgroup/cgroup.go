// Package cgroup runs processes under limits of memory and of disk reads, by
// control groups of either version. It is for benchmarks and tests, needs root,
// and knows nothing of what it limits.
package cgroup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ErrUnavailable reports that this machine lets no control group be made: no
// root, or no controller.
var ErrUnavailable = errors.New("no control group can be made")

// Limits say what the processes of a group may use together. Zero is no limit.
type Limits struct {
	Memory int64 // bytes, page cache included

	// ReadBPS is how many bytes a second may be read from the disk that
	// holds the file or folder Disk.
	ReadBPS int64
	Disk    string
}

// Group is a control group. Close it.
type Group struct {
	memory, disk string // folders; the same one in version 2, "" without limit
	files        *files
}

// files are the names that the two versions have for the same things.
type files struct {
	limit, peak, events string
	read                string
	readLimit           func(device string, bps int64) string
	oomKills            string // the key in events
}

var version1 = &files{
	limit: "memory.limit_in_bytes", peak: "memory.max_usage_in_bytes", events: "memory.oom_control",
	read:      "blkio.throttle.read_bps_device",
	readLimit: func(device string, bps int64) string { return fmt.Sprintf("%s %d", device, bps) },
	oomKills:  "oom_kill",
}

var version2 = &files{
	limit: "memory.max", peak: "memory.peak", events: "memory.events",
	read:      "io.max",
	readLimit: func(device string, bps int64) string { return fmt.Sprintf("%s rbps=%d", device, bps) },
	oomKills:  "oom_kill",
}

// root is where control groups are mounted.
const root = "/sys/fs/cgroup"

// New makes a group with these limits. An error that wraps ErrUnavailable is
// the machine's fault.
func New(l Limits) (*Group, error) { return newAt(root, l) }

func newAt(root string, l Limits) (*Group, error) {
	name := fmt.Sprintf("scapefs-%d-%d", os.Getpid(), time.Now().UnixNano())
	g := &Group{files: version1}
	memory, disk := filepath.Join(root, "memory", name), filepath.Join(root, "blkio", name)
	if isVersion2(root) {
		g.files = version2
		memory = filepath.Join(root, name)
		disk = memory
	}
	if err := g.limit(memory, disk, l); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrUnavailable, err), g.Close())
	}
	return g, nil
}

// isVersion2 looks whether version 2 has the controllers; on a machine of both,
// they may be with version 1.
func isVersion2(root string) bool {
	b, _ := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
	return strings.Contains(string(b), "memory")
}

func (g *Group) limit(memory, disk string, l Limits) error {
	if l.Memory > 0 {
		g.memory = memory
		if err := makeGroup(memory); err != nil {
			return err
		}
		if err := set(memory, g.files.limit, strconv.FormatInt(l.Memory, 10)); err != nil {
			return err
		}
	}
	if l.ReadBPS > 0 {
		device, err := deviceOf(l.Disk)
		if err != nil {
			return err
		}
		g.disk = disk
		if err := makeGroup(disk); err != nil {
			return err
		}
		return set(disk, g.files.read, g.files.readLimit(device, l.ReadBPS))
	}
	return nil
}

func makeGroup(dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}

func set(dir, file, value string) error {
	return os.WriteFile(filepath.Join(dir, file), []byte(value), 0o644)
}

func (g *Group) dirs() (list []string) {
	if g.memory != "" {
		list = append(list, g.memory)
	}
	if g.disk != "" && g.disk != g.memory {
		list = append(list, g.disk)
	}
	return list
}

// Command is exec.CommandContext for a process that is in the group from its
// first instruction, and whose children are.
func (g *Group) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	const enter = `while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs" || exit 125; shift; done; shift; exec "$@"`
	line := append([]string{"-c", enter, "sh"}, g.dirs()...)
	line = append(append(line, "--", name), args...)
	return exec.CommandContext(ctx, "/bin/sh", line...)
}

// PeakMemory is the most that the group has held at once, page cache included.
// Only a group with a limit of memory knows it.
func (g *Group) PeakMemory() (int64, error) {
	b, err := os.ReadFile(filepath.Join(g.memory, g.files.peak))
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
}

// OOMKills is how many processes of the group the kernel has killed for want of
// memory.
func (g *Group) OOMKills() (int64, error) {
	b, err := os.ReadFile(filepath.Join(g.memory, g.files.events))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == g.files.oomKills {
			return strconv.ParseInt(f[1], 10, 64)
		}
	}
	return 0, fmt.Errorf("%s tells of no kills", g.files.events)
}

// closeTimeout is how long the last processes may take to go.
const closeTimeout = 10 * time.Second

// Close removes the group. Its processes must have ended, or be about to.
func (g *Group) Close() error {
	var errs []error
	for _, dir := range g.dirs() {
		errs = append(errs, remove(dir, time.Now().Add(closeTimeout)))
	}
	return errors.Join(errs...)
}

func remove(dir string, deadline time.Time) error {
	for {
		err := os.Remove(dir)
		if err == nil || errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("remove control group: %w", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
