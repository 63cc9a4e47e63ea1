package fs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/metrics"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// statusXattr is the extended attribute of a mount's root that has its Status,
// as JSON. It is not listed, and only whoever mounted may read it.
const statusXattr = xattrPrefix + "status"

// statusTimeout is how long a mount may take to tell its status.
const statusTimeout = 10 * time.Second

// ErrNoStatus reports a mount that does not tell what it does.
var ErrNoStatus = errors.New("the mount does not tell its status")

// Status is what a mount is doing and has done since it began. Sizes are in
// bytes.
type Status struct {
	Source        string  `json:"source"`
	PID           int     `json:"pid"`
	UptimeSeconds float64 `json:"uptime_seconds"`

	// Counters.
	Reads       uint64 `json:"reads"`        // READs of archives, those that failed included
	ReadBytes   uint64 `json:"read_bytes"`   // that they asked for, up to the end of the file
	DemandBytes uint64 `json:"demand_bytes"` // decoded because a READ waited
	AheadBytes  uint64 `json:"ahead_bytes"`  // decoded ahead of READs
	DirectBytes uint64 `json:"direct_bytes"` // coded bytes read past the page cache
	Opens       uint64 `json:"opens"`        // archives opened, to list their sizes or to read them
	Faults      uint64 `json:"faults"`       // requests and readahead that met an error worth a log line
	CacheHits   uint64 `json:"cache_hits"`
	CacheMisses uint64 `json:"cache_misses"`
	Evictions   uint64 `json:"evictions"`
	Wasted      uint64 `json:"wasted"` // blocks decoded ahead that nobody asked for

	// What it holds now.
	OpenFiles    int64 `json:"open_files"`
	Streams      int64 `json:"streams"` // sequential readers that are read ahead of
	Queued       int   `json:"queued"`  // pieces of readahead that wait for a worker
	Busy         int64 `json:"busy"`    // workers that decode
	Jobs         int   `json:"jobs"`    // workers
	WaitingReads int64 `json:"waiting_reads"`
	CacheUsed    int64 `json:"cache_used"` // decoded blocks and those in flight
	CacheLimit   int64 `json:"cache_limit"`
	CachePinned  int64 `json:"cache_pinned"` // blocks that READs hold
	CacheIdle    int64 `json:"cache_idle"`   // free memory kept for the next block
	CachePeak    int64 `json:"cache_peak"`
	Goroutines   int   `json:"goroutines"`
	HeapBytes    int64 `json:"heap_bytes"` // of Go, without the cache
	RSSBytes     int64 `json:"rss_bytes"`
	ReadAheadKB  int   `json:"kernel_read_ahead_kb"` // 0 if unknown

	PageCache PageCache `json:"page_cache"` // of the kernel: PageCacheEROFS or PageCacheFUSE

	LateReads int64 `json:"late_reads"` // READs that a disk does not answer

	// Limits says what holds readers back now, and what to do about it; empty
	// if nothing does.
	Limits []string `json:"limits"`
}

// Status may be called at any time, after the end too. It waits for no disk.
func (m *Server) Status() Status { return m.fs.status() }

func (fs *filesystem) status() Status {
	c, cached := &fs.stats, fs.cache.Stats()
	s := Status{
		Source:        fs.source,
		PID:           os.Getpid(),
		UptimeSeconds: time.Since(fs.began).Seconds(),
		Reads:         c.reads.Load(),
		ReadBytes:     c.readBytes.Load(),
		DemandBytes:   c.demandBytes.Load(),
		AheadBytes:    c.aheadBytes.Load(),
		DirectBytes:   c.directBytes.Load(),
		Opens:         c.opens.Load(),
		Faults:        fs.faults.count.Load(),
		CacheHits:     cached.Hits,
		CacheMisses:   cached.Misses,
		Evictions:     cached.Evictions,
		Wasted:        cached.PrefetchWasted,
		OpenFiles:     c.openFiles.Load(),
		Streams:       fs.share.active.Load(),
		Queued:        len(fs.fetchers.queue) + len(fs.pool.queue),
		Busy:          fs.pool.busy.Load(),
		Jobs:          fs.pool.size,
		WaitingReads:  c.waiting.Load(),
		CacheUsed:     cached.Resident + cached.InFlight,
		CacheLimit:    cached.Budget,
		CachePinned:   cached.Pinned,
		CacheIdle:     cached.Idle,
		CachePeak:     cached.Peak,
		RSSBytes:      residentBytes(),
		ReadAheadKB:   int(fs.readAheadKB.Load()),
		PageCache:     fs.images.choice(),
	}
	s.LateReads = fs.crowd.late.Load() + fs.imageCrowd.late.Load()
	s.HeapBytes, s.Goroutines = runtimeSizes()
	s.Limits = s.limits()
	return s
}

// limits puts in words what the gauges of s say.
func (s *Status) limits() []string {
	limits := []string{}
	say := func(when bool, format string, args ...any) {
		if when {
			limits = append(limits, fmt.Sprintf(format, args...))
		}
	}
	say(s.WaitingReads > 0, "cache: %d reads wait for room: give a larger --cache-size", s.WaitingReads)
	say(s.LateReads > 0, "storage: %d reads wait for a disk that does not answer", s.LateReads)
	say(s.Busy >= int64(s.Jobs), "processor: all %d workers are decoding", s.Jobs)
	say(s.ReadAheadKB > 0 && s.ReadAheadKB < readAheadKB,
		"kernel: it reads only %d KiB ahead, where %d are wanted: the log has the command", s.ReadAheadKB, readAheadKB)
	return limits
}

// residentBytes is the memory of this process, 0 if it cannot be told.
func residentBytes() int64 {
	b, err := os.ReadFile("/proc/self/statm")
	fields := strings.Fields(string(b))
	if err != nil || len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// runtimeSizes asks the runtime in a way that stops nothing.
func runtimeSizes() (heap int64, goroutines int) {
	samples := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/sched/goroutines:goroutines"},
	}
	metrics.Read(samples)
	return int64(samples[0].Value.Uint64() + samples[1].Value.Uint64()), int(samples[2].Value.Uint64())
}

// statusFor gives the status as the value of an extended attribute.
func (fs *filesystem) statusFor(ctx context.Context, dest []byte) (uint32, syscall.Errno) {
	if caller, ok := fuse.FromContext(ctx); ok && caller.Uid != 0 && int(caller.Uid) != os.Geteuid() {
		return 0, syscall.EACCES
	}
	b, err := json.Marshal(fs.status())
	if err != nil {
		return 0, fs.faults.errno(0, fs.source, err)
	}
	return copyXattr(dest, string(b))
}

// ReadStatus asks the mount of ours at mountpoint, whichever process serves
// it. The error wraps ErrNotMounted if there is none, ENOTCONN if its process
// has died, and ErrNoStatus if it does not answer.
func ReadStatus(mountpoint string) (Status, error) {
	path, ours, err := ownMount(mountpoint)
	if err != nil {
		return Status{}, err
	}
	if !ours {
		return Status{}, fmt.Errorf("%s: %w", mountpoint, ErrNotMounted)
	}
	type answer struct {
		value []byte
		err   error
	}
	told := make(chan answer, 1)
	go func() { // may be left behind when the mount never answers
		buf := make([]byte, 64<<10)
		n, err := unix.Getxattr(path, statusXattr, buf)
		told <- answer{buf[:max(n, 0)], err}
	}()
	select {
	case a := <-told:
		return parseStatus(mountpoint, a.value, a.err)
	case <-time.After(statusTimeout):
		return Status{}, fmt.Errorf("%s: %w within %v", mountpoint, ErrNoStatus, statusTimeout)
	}
}

func parseStatus(mountpoint string, value []byte, err error) (s Status, _ error) {
	if errors.Is(err, unix.ENODATA) {
		err = ErrNoStatus // another version serves it
	}
	if err == nil {
		err = json.Unmarshal(value, &s)
	}
	return s, wrap("status of", mountpoint, err)
}
