// Package proc reads from /proc what a process has used, and finds processes by
// their command lines. It is for benchmarks and tests, and knows nothing of what
// the processes do.
package proc

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Usage is what a process uses, and has used since it began.
type Usage struct {
	User, System time.Duration // of all its threads
	Resident     int64         // bytes of memory, now
	Peak         int64         // and at most
	Threads      int
	Files        int // open descriptors
}

// CPU is the time that processors spent on the process.
func (u Usage) CPU() time.Duration { return u.User + u.System }

// Of tells what process pid uses. The process may be of another user only if
// this one is root.
func Of(pid int) (u Usage, err error) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	if u.User, u.System, err = times(filepath.Join(dir, "stat")); err != nil {
		return u, err
	}
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return u, err
	}
	u.Resident, u.Peak = 1024*field(status, "VmRSS"), 1024*field(status, "VmHWM")
	u.Threads = int(field(status, "Threads"))
	files, err := os.ReadDir(filepath.Join(dir, "fd"))
	u.Files = len(files)
	return u, err
}

// tick is the unit of times in /proc: USER_HZ, which is 100 on Linux wherever Go
// runs.
const tick = time.Second / 100

// times reads processor times from a file stat of /proc. The process's name, in
// parentheses, may hold anything; what is counted comes after it.
func times(path string) (user, system time.Duration, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, 0, err
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	const utime, stime = 11, 12
	if len(f) <= stime {
		return 0, 0, fmt.Errorf("%s: %d fields", path, len(f))
	}
	u, err := strconv.ParseInt(f[utime], 10, 64)
	if err != nil {
		return 0, 0, err
	}
	s, err := strconv.ParseInt(f[stime], 10, 64)
	return time.Duration(u) * tick, time.Duration(s) * tick, err
}

// field gives the number after "name:" in a file status of /proc; 0 if there is
// none, as for a process that has ended and was not waited for.
func field(status []byte, name string) int64 {
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte(name+":")); ok {
			f := bytes.Fields(rest)
			if len(f) == 0 {
				return 0
			}
			n, _ := strconv.ParseInt(string(f[0]), 10, 64)
			return n
		}
	}
	return 0
}

// ResetPeak makes Peak count from now on.
func ResetPeak(pid int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0o200)
}

// Find lists the processes whose command line match accepts.
func Find(match func(args []string) bool) ([]int, error) {
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil || len(b) == 0 {
			continue // it has ended, or is of the kernel
		}
		if !match(strings.Split(strings.TrimRight(string(b), "\x00"), "\x00")) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			return nil, err
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

// Daemon finds the process that serves the mount at point: the scapefs whose
// last argument it is.
func Daemon(point string) (int, error) {
	pids, err := Find(func(args []string) bool {
		return len(args) > 2 && filepath.Base(args[0]) == "scapefs" && args[len(args)-1] == point
	})
	if err != nil {
		return 0, err
	}
	if len(pids) != 1 {
		return 0, fmt.Errorf("%d processes serve %s", len(pids), point)
	}
	return pids[0], nil
}

// Machine is the time that processors have spent since the system began, on
// everything: outside of the kernel, and within.
func Machine() (user, kernel time.Duration, err error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, err
	}
	f := strings.Fields(string(b[:max(bytes.IndexByte(b, '\n'), 0)]))
	const first, idle, iowait, steal = 1, 4, 5, 8 // "cpu user nice system idle iowait irq softirq steal …"
	if len(f) <= steal {
		return 0, 0, fmt.Errorf("/proc/stat: %d fields", len(f))
	}
	for i := first; i < steal; i++ {
		n, err := strconv.ParseInt(f[i], 10, 64)
		if err != nil {
			return 0, 0, err
		}
		switch {
		case i < 3:
			user += time.Duration(n) * tick
		case i != idle && i != iowait:
			kernel += time.Duration(n) * tick
		}
	}
	return user, kernel, nil
}
