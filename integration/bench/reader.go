package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// readCommand reads a folder in one way, in a process of its own.
const readCommand = "read"

// sample is one reading.
type sample struct {
	Bytes   int64   `json:"bytes"`
	Ops     int     `json:"ops"`
	Seconds float64 `json:"seconds"`
	P50     float64 `json:"p50_us"` // of an operation
	P99     float64 `json:"p99_us"`
	Max     float64 `json:"max_us"`
}

// ways are the ways to read a folder. Each tells clock what every operation took.
var ways = map[string]func(dir string, c *clock) error{
	"read":      eachShard(1, readThrough),
	"mmap":      eachShard(1, mapThrough),
	"names":     func(dir string, c *clock) error { return tensors(dir, 1, 1<<30, c) },
	"shards4":   eachShard(4, mapThrough),
	"faults1":   func(dir string, c *clock) error { return tensors(dir, 1, 64<<10, c) },
	"faults32":  func(dir string, c *clock) error { return tensors(dir, 32, 64<<10, c) },
	"direct16":  eachShard(1, directThrough),
	"random4k":  randomly,
	"walk":      walk,
	"small":     readSmall,
	"stripes32": stripes,
}

// readMain reads the folder args[1] in the way args[0] and prints a sample.
func readMain(args []string, stdout io.Writer) error {
	if len(args) != 2 || ways[args[0]] == nil {
		return errors.New("usage: bench read WAY DIR")
	}
	// A page fault holds its processor, as far as Go knows.
	runtime.GOMAXPROCS(40)
	debug.SetGCPercent(-1)
	c := new(clock)
	start := time.Now()
	if err := ways[args[0]](args[1], c); err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(c.sample(time.Since(start)))
}

// clock gathers how long operations took.
type clock struct {
	mu    sync.Mutex
	bytes int64
	times []time.Duration
}

// lap is the part of one thread.
type lap struct {
	bytes int64
	times []time.Duration
}

func (l *lap) op(start time.Time, n int) {
	l.times = append(l.times, time.Since(start))
	l.bytes += int64(n)
}

func (c *clock) add(l *lap) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes += l.bytes
	c.times = append(c.times, l.times...)
}

func (c *clock) sample(total time.Duration) sample {
	s := sample{Bytes: c.bytes, Ops: len(c.times), Seconds: total.Seconds()}
	if len(c.times) == 0 {
		return s
	}
	slices.Sort(c.times)
	at := func(share float64) float64 {
		return float64(c.times[int(share*float64(len(c.times)-1))].Nanoseconds()) / 1e3
	}
	s.P50, s.P99, s.Max = at(0.50), at(0.99), at(1)
	return s
}

func shardsOf(dir string) ([]string, error) {
	list, err := filepath.Glob(filepath.Join(dir, "model", "*.safetensors"))
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("no model in %s", dir)
	}
	return list, err
}

// eachShard reads the shards in their order, by so many threads.
func eachShard(threads int, through func(path string, c *clock) error) func(string, *clock) error {
	return func(dir string, c *clock) error {
		list, err := shardsOf(dir)
		if err != nil {
			return err
		}
		return inParallel(threads, len(list), func(i int) error { return through(list[i], c) })
	}
}

// inParallel does n jobs in their order by so many threads.
func inParallel(threads, n int, job func(i int) error) error {
	queue := make(chan int, n)
	for i := range n {
		queue <- i
	}
	close(queue)
	errs := make([]error, threads)
	var group sync.WaitGroup
	for t := range threads {
		group.Go(func() {
			for i := range queue {
				if errs[t] = job(i); errs[t] != nil {
					return
				}
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

func readThrough(path string, c *clock) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return readAll(f, c)
}

func readAll(r io.Reader, c *clock) error {
	var l lap
	defer c.add(&l)
	for buf := make([]byte, 1<<20); ; {
		start := time.Now()
		n, err := r.Read(buf)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		l.op(start, n)
	}
}

// mapped maps a whole file, as loaders do.
func mapped(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_PRIVATE)
}

func mapThrough(path string, c *clock) error {
	m, err := mapped(path)
	if err != nil {
		return err
	}
	var l lap
	l.copyOut(m, 1<<20, make([]byte, 1<<20))
	c.add(&l)
	return unix.Munmap(m)
}

// copyOut copies src piece by piece to where it stays in the processor's cache.
func (l *lap) copyOut(src []byte, piece int, buf []byte) {
	for len(src) > 0 {
		part := src[:min(piece, len(src))]
		src = src[len(part):]
		start := time.Now()
		for p := part; len(p) > 0; {
			p = p[copy(buf, p):]
		}
		l.op(start, len(part))
	}
}

// directThrough reads as fastsafetensors does: 16 threads, 516 KiB, O_DIRECT.
func directThrough(path string, c *clock) error {
	const piece = 516 << 10
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECT, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	buffers := make(chan []byte, 16)
	for range cap(buffers) {
		b, err := unix.Mmap(-1, 0, piece, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
		if err != nil {
			return err
		}
		buffers <- b
	}
	return inParallel(cap(buffers), int((st.Size+piece-1)/piece), func(i int) error {
		b := <-buffers
		defer func() { buffers <- b }()
		var l lap
		start := time.Now()
		n, err := unix.Pread(fd, b, int64(i)*piece)
		l.op(start, n)
		c.add(&l)
		return err
	})
}

// randomly reads 4 KiB here and there.
func randomly(dir string, c *clock) error {
	list, err := shardsOf(dir)
	if err != nil {
		return err
	}
	var l lap
	defer c.add(&l)
	rnd := rand.New(rand.NewPCG(1, 2))
	buf := make([]byte, 4<<10)
	for _, path := range list {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_RANDOM); err != nil {
			return err
		}
		for range 250 {
			off := rnd.Int64N(info.Size()>>12) << 12
			start := time.Now()
			n, err := f.ReadAt(buf, off)
			if err != nil && err != io.EOF {
				return err
			}
			l.op(start, n)
		}
	}
	return nil
}

// walk looks at every name and its attributes.
func walk(dir string, c *clock) error {
	var l lap
	defer c.add(&l)
	last := time.Now()
	return filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if _, err := d.Info(); err != nil {
			return err
		}
		l.op(last, 0)
		last = time.Now()
		return nil
	})
}

func readSmall(dir string, c *clock) error {
	var l lap
	defer c.add(&l)
	dir = filepath.Join(dir, "small")
	names, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range names {
		start := time.Now()
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		l.op(start, len(b))
	}
	return nil
}
