package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/scapefs/scapefs/internal/cgroup"
	"github.com/scapefs/scapefs/internal/hostmem"
	"github.com/scapefs/scapefs/internal/proc"
)

// workload is a way to read, and whom to ask for it.
type workload struct {
	Name     string
	What     string
	subjects []subject
	fio      []string // its options, where fio reads
	limit    int64    // of the disk, bytes a second; 0 for none
	light    bool     // reads little
}

var workloads = []workload{
	{Name: "read", What: "one thread, read(2) of 1 MiB, shard by shard",
		subjects: []subject{plainCold, plainWarm, zerosMount, scapeCached, scapeCold, scapeWarm, squashfs, erofs, zstdCold}},
	{Name: "mmap", What: "one thread, page faults in order",
		subjects: []subject{plainCold, plainWarm, zerosMount, scapeCached, scapeCold, scapeWarm, squashfs, erofs}},
	{Name: "names", What: "one thread, mapped tensors in the order of their names",
		subjects: []subject{plainCold, zerosMount, scapeCached, scapeCold, squashfs, erofs}},
	{Name: "shards4", What: "four threads, a mapped shard each",
		subjects: []subject{plainCold, zerosMount, scapeCached, scapeCold, squashfs, erofs}},
	{Name: "faults1", What: "one thread of faults, 64 KiB an operation",
		subjects: []subject{plainCold, zerosMount, scapeCached}},
	{Name: "faults32", What: "32 threads of faults, a mapped tensor each",
		subjects: []subject{plainCold, zerosMount, scapeCached, squashfs}},
	{Name: "direct16", What: "as fastsafetensors: 16 threads, O_DIRECT, 516 KiB",
		subjects: []subject{plainCold, zerosMount, scapeCached, scapeCold}},
	{Name: "uring8m", What: "as Run:ai: fio, io_uring, O_DIRECT, 8 MiB from byte 512 on, 16 deep",
		fio:      []string{"--rw=read", "--bs=8m", "--direct=1", "--offset=512", "--iodepth=16"},
		subjects: []subject{plainCold, zerosMount, scapeCached, scapeCold}},
	{Name: "uring128k", What: "fio, io_uring, 128 KiB through the page cache, 32 deep",
		fio:      []string{"--rw=read", "--bs=128k", "--direct=0", "--iodepth=32"},
		subjects: []subject{plainCold, zerosMount, scapeCached, scapeCold}},
	{Name: "random4k", What: "one thread, pread of 4 KiB here and there", light: true,
		subjects: []subject{plainCold, zerosMount, scapeCached, squashfs, erofs}},
	{Name: "walk", What: "names and attributes of 2,000 small files", light: true,
		subjects: []subject{plainCold, zerosMount, scapeCold, squashfs, erofs}},
	{Name: "small", What: "2,000 small files, opened and read", light: true,
		subjects: []subject{plainCold, zerosMount, scapeCold, squashfs, erofs}},
	{Name: "read 200 MB/s", What: "read, from a disk of 200 MB/s", limit: 200e6, subjects: []subject{plainCold, scapeCold}},
	{Name: "read 500 MB/s", What: "read, from a disk of 500 MB/s", limit: 500e6, subjects: []subject{plainCold, scapeCold}},
	{Name: "names 500 MB/s", What: "names, from a disk of 500 MB/s", limit: 500e6, subjects: []subject{plainCold, scapeCold}},
	{Name: "read 1000 MB/s", What: "read, from a disk of 1000 MB/s", limit: 1000e6, subjects: []subject{plainCold, scapeCold}},
}

// way is what the reader is told to do.
func (w workload) way() string {
	return regexp.MustCompile(`^\w+`).FindString(w.Name)
}

// measurement is one reading of one subject.
type measurement struct {
	sample
	Reader float64 `json:"reader_cpu_s"`           // of the process that reads
	Daemon float64 `json:"daemon_cpu_s,omitempty"` // of the one that serves
	User   float64 `json:"machine_user_s"`         // of the whole machine, whoever else is on it
	Kernel float64 `json:"machine_kernel_s"`
	Peak   int64   `json:"daemon_peak_bytes,omitempty"`
}

// cell is a subject under a workload, a measurement for each round.
type cell struct {
	Workload string        `json:"workload"`
	Subject  string        `json:"subject"`
	Rounds   []measurement `json:"rounds"`
}

// result is all that is measured.
type result struct {
	Machine  machine   `json:"machine"`
	Model    model     `json:"model"`
	Cells    []*cell   `json:"cells"`
	BlockUS  float64   `json:"decode_block_us"` // one block, from the page cache, one core
	First    []float64 `json:"first_byte_s"`    // from mount to first byte, 1,000 archives
	Opens    int       `json:"readdir_opens"`   // archives that listing them opened
	Big      *bigRun   `json:"big,omitempty"`
	Targets  []target  `json:"targets"`
	Seconds  float64   `json:"seconds"` // that the run took
	NotThere []string  `json:"not_measured,omitempty"`
}

// model says what was read.
type model struct {
	Bytes    int64   `json:"bytes"`
	Stored   int64   `json:"stored_bytes"`
	Squashfs int64   `json:"squashfs_bytes,omitempty"`
	Erofs    int64   `json:"erofs_bytes,omitempty"`
	ErofsBy  string  `json:"erofs_compressor,omitempty"`
	Cache    int64   `json:"cache_size"`
	Ratio    float64 `json:"ratio"`
}

func measure(ctx context.Context, opt options) (*result, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("this drops caches, mounts and limits disks: run it as root")
	}
	only, err := regexp.Compile(opt.only)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	fmt.Fprintln(os.Stderr, "making the model, its archives and images")
	b, err := prepare(ctx, opt)
	if err != nil {
		return nil, err
	}
	res := &result{Machine: thisMachine(b.plain)}
	if res.Model, err = b.model(); err != nil {
		return nil, err
	}
	if res.BlockUS, err = b.timeBlock(ctx); err != nil {
		return nil, err
	}
	for round := range opt.rounds {
		for _, w := range workloads {
			if !only.MatchString(w.Name) {
				continue
			}
			fmt.Fprintf(os.Stderr, "%4.0f s  round %d of %d: %s\n", time.Since(start).Seconds(), round+1, opt.rounds, w.Name)
			if err := b.round(ctx, res, w, round); err != nil {
				return nil, fmt.Errorf("%s: %w", w.Name, err)
			}
		}
		if err := b.firstByte(ctx, res); err != nil {
			return nil, err
		}
	}
	if opt.big > 0 {
		fmt.Fprintf(os.Stderr, "%4.0f s  32 readers of %d GiB in 512 MiB\n", time.Since(start).Seconds(), opt.big)
		if res.Big, err = b.big(ctx, opt.big); err != nil {
			return nil, err
		}
	}
	res.Targets = targets(res)
	res.Seconds = time.Since(start).Seconds()
	return res, nil
}

func (b *bench) model() (m model, err error) {
	m.Cache, m.ErofsBy = b.opt.cache, b.erofsBy
	if m.Bytes, err = sizeOf(filepath.Join(b.plain, "model")); err != nil {
		return m, err
	}
	if m.Stored, err = sizeOf(filepath.Join(b.packed, "model")); err != nil {
		return m, err
	}
	m.Ratio = float64(m.Bytes) / float64(m.Stored)
	for path, size := range map[string]*int64{b.squashfs: &m.Squashfs, b.erofs: &m.Erofs} {
		if path == "" {
			continue
		}
		if *size, err = sizeOf(path); err != nil {
			return m, err
		}
	}
	return m, nil
}

func sizeOf(path string) (sum int64, err error) {
	err = filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().IsRegular() {
			sum += info.Size()
		}
		return err
	})
	return sum, err
}

// round measures the subjects of w turn by turn; each round begins with another
// one. What cannot be measured here is noted.
func (b *bench) round(ctx context.Context, res *result, w workload, round int) error {
	for i := range w.subjects {
		s := w.subjects[(i+round)%len(w.subjects)]
		m, err := b.measureOne(ctx, w, s)
		if errors.Is(err, errNotHere) || errors.Is(err, cgroup.ErrUnavailable) {
			if note := fmt.Sprintf("%s, %s: %v", w.Name, s.name, err); !slices.Contains(res.NotThere, note) {
				res.NotThere = append(res.NotThere, note)
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		c := res.find(w.Name, s.name)
		if c == nil {
			c = &cell{Workload: w.Name, Subject: s.name}
			res.Cells = append(res.Cells, c)
		}
		c.Rounds = append(c.Rounds, m)
	}
	return nil
}

// errNotHere reports a subject or a workload for which a tool is missing.
var errNotHere = errors.New("not on this machine")

func (b *bench) measureOne(ctx context.Context, w workload, s subject) (m measurement, err error) {
	if err := b.lacks(w, s); err != nil {
		return m, err
	}
	var limit *cgroup.Group
	if w.limit > 0 {
		if limit, err = cgroup.New(cgroup.Limits{ReadBPS: w.limit, Disk: b.plain}); err != nil {
			return m, err
		}
		defer func() { err = errors.Join(err, limit.Close()) }()
	}
	if err := b.settle(w, s); err != nil {
		return m, err
	}
	if s.serve == nil {
		return b.unzstd(ctx)
	}
	on, err := s.serve(b, ctx, limit)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, on.end()) }()
	if s.warm {
		return b.readAgain(ctx, w, on)
	}
	return b.readOnce(ctx, w, on, limit)
}

// warmReads is how often what is in memory is read: it takes so little time that
// once tells little.
const warmReads = 5

// readAgain has processes read on several times after the first, and gives the
// median by time.
func (b *bench) readAgain(ctx context.Context, w workload, on served) (measurement, error) {
	if _, err := b.readOnce(ctx, w, on, nil); err != nil {
		return measurement{}, err
	}
	var reads []measurement
	for range warmReads {
		m, err := b.readOnce(ctx, w, on, nil)
		if err != nil {
			return m, err
		}
		reads = append(reads, m)
	}
	slices.SortFunc(reads, func(x, y measurement) int { return cmp.Compare(x.Seconds, y.Seconds) })
	return reads[warmReads/2], nil
}

func (b *bench) lacks(w workload, s subject) error {
	needs := map[string]bool{"fio": w.fio != nil, "mksquashfs": s.name == squashfs.name,
		"mkfs.erofs": s.name == erofs.name, "zstd": s.name == zstdCold.name}
	for tool, needed := range needs {
		if _, err := exec.LookPath(tool); needed && err != nil {
			return fmt.Errorf("%w: no %s, see scripts/setup.sh bench", errNotHere, tool)
		}
	}
	return nil
}

// rest is how long nothing is done before a measurement: a host that limits the
// processors' time counts what prepared it too.
const rest = 300 * time.Millisecond

// settle drops what caches hold, has the host stand behind the memory that the
// caches will take, and loads the archives if they are to be cached.
func (b *bench) settle(w workload, s subject) error {
	if err := dropCaches(); err != nil {
		return err
	}
	if !w.light {
		// The file, its archive, and what the daemon keeps.
		if err := hostmem.Back(int64(b.opt.megabytes)<<20*7/4 + b.opt.cache + beyondCache); err != nil {
			return err
		}
		defer time.Sleep(rest)
	}
	if !s.archive {
		return nil
	}
	return filepath.WalkDir(b.packed, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(struct{ io.Writer }{io.Discard}, f)
		return err
	})
}

// readOnce has a process read on. Under a limit it is the one who reads the
// disk that is limited: this process, unless there is a daemon.
func (b *bench) readOnce(ctx context.Context, w workload, on served, limit *cgroup.Group) (m measurement, err error) {
	name, args := os.Args[0], []string{readCommand, w.way(), on.dir}
	if w.fio != nil {
		if name, args, err = fioCommand(w.fio, on.dir); err != nil {
			return m, err
		}
	}
	cmd := exec.CommandContext(ctx, name, args...)
	if limit != nil && on.pid == 0 {
		cmd = limit.Command(ctx, name, args...)
	}
	cmd.Stderr = os.Stderr
	m, out, err := watch(cmd, on.pid)
	if err != nil {
		return m, err
	}
	if w.fio != nil {
		m.sample, err = fioSample(out)
		return m, err
	}
	return m, json.Unmarshal(out, &m.sample)
}

// watch runs cmd to its end and measures what it cost.
func watch(cmd *exec.Cmd, daemon int) (m measurement, out []byte, err error) {
	user, kernel, err := proc.Machine()
	if err != nil {
		return m, nil, err
	}
	var before, after proc.Usage
	if daemon != 0 {
		if before, err = proc.Of(daemon); err != nil {
			return m, nil, err
		}
	}
	if out, err = cmd.Output(); err != nil {
		return m, nil, fmt.Errorf("%v: %w", cmd.Args, err)
	}
	if daemon != 0 {
		if after, err = proc.Of(daemon); err != nil {
			return m, nil, err
		}
	}
	userEnd, kernelEnd, err := proc.Machine()
	m.Reader = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	m.Daemon, m.Peak = (after.CPU() - before.CPU()).Seconds(), after.Peak
	m.User, m.Kernel = (userEnd - user).Seconds(), (kernelEnd - kernel).Seconds()
	return m, out, err
}

func (r *result) find(workload, subject string) *cell {
	for _, c := range r.Cells {
		if c.Workload == workload && c.Subject == subject {
			return c
		}
	}
	return nil
}
