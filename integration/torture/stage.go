package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/scapefs/scapefs/integration/torture/faulty"
	"github.com/scapefs/scapefs/integration/torture/reader"
	"github.com/scapefs/scapefs/integration/torture/rig"
)

// pollTime is how often what is waited for is looked at.
const pollTime = 50 * time.Millisecond

// stage is where the torture takes place: archives in a folder, shown by a
// faulty disk, mounted, with readers at work.
type stage struct {
	config
	rng     *rand.Rand
	report  *report
	folder  string // of the archives
	spare   string // of the archives' contents, two for each
	at      string // where the disk is
	disk    *faulty.Disk
	daemon  *daemon
	files   []reader.File // with both contents
	current []int         // content of each
	readers []*reader.Reader
}

func newStage(c config, dir string, r *report) (_ *stage, err error) {
	s := &stage{config: c, report: r, rng: rand.New(rand.NewPCG(c.seed, 0)),
		folder: filepath.Join(dir, "archives"), spare: filepath.Join(dir, "spare"), at: filepath.Join(dir, "disk")}
	point, full := filepath.Join(dir, "mount"), filepath.Join(dir, "full")
	for _, d := range []string{s.folder, s.spare, s.at, point, full} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return nil, err
		}
	}
	if err := s.pack(); err != nil {
		return nil, err
	}
	if s.daemon, err = newDaemon(c, s.at, point, full, r); err != nil {
		return nil, err
	}
	if s.disk, err = faulty.Start(s.folder, s.at); err != nil {
		return nil, s.close(err)
	}
	if err := s.daemon.start(); err != nil {
		return nil, s.close(err)
	}
	if !s.healthy("at the start") {
		return nil, s.close(errors.New("the mount does not work before any fault"))
	}
	if r.Begin, _, err = s.daemon.sample(); err != nil {
		return nil, s.close(err)
	}
	return s, s.startReaders()
}

// pack makes two contents of every archive, and puts the first in place.
func (s *stage) pack() error {
	for i := range s.config.files {
		f := reader.File{Name: fmt.Sprintf("f%d.safetensors", i), Tensors: s.tensors}
		for g := range uint64(2) {
			seed := s.seed + uint64(2*i) + g
			f.Seeds = append(f.Seeds, seed)
			if err := rig.Pack(s.program, s.stored(i, int(g)), seed, s.tensors); err != nil {
				return err
			}
		}
		s.files, s.current = append(s.files, f), append(s.current, 0)
		if err := s.restore(i); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) stored(i, content int) string {
	return filepath.Join(s.spare, fmt.Sprintf("f%d-%d.scape", i, content))
}

func (s *stage) archive(i int) string { return filepath.Join(s.folder, fmt.Sprintf("f%d.scape", i)) }

// restore puts a fresh copy of the i-th archive's present content in place, in
// one step.
func (s *stage) restore(i int) error {
	b, err := os.ReadFile(s.stored(i, s.current[i]))
	if err != nil {
		return err
	}
	fresh := filepath.Join(s.spare, "fresh")
	if err := os.WriteFile(fresh, b, 0o644); err != nil {
		return err
	}
	return os.Rename(fresh, s.archive(i))
}

// startReaders has one reader for every way to read at work.
func (s *stage) startReaders() error {
	for _, way := range reader.Ways() {
		r, err := reader.Start(reader.Job{Dir: s.daemon.point, Files: s.files, Way: way, Seed: s.rng.Uint64(), Deaf: true})
		if err != nil {
			return err
		}
		s.readers = append(s.readers, r)
	}
	return nil
}

// stopReaders ends them, takes what they have seen, and counts those that
// hang.
func (s *stage) stopReaders() {
	for _, r := range s.readers {
		t, err := r.Stop(s.patience)
		if errors.Is(err, reader.ErrHang) {
			s.report.Bad.Hangs++
			s.report.note("a reader by %s hangs", r.Job.Way)
		}
		s.report.add(t)
	}
	s.readers = nil
}

// healthy reads all files in every way and waits for that to go right; no
// fault is there. It says what stands against that.
func (s *stage) healthy(after string) bool {
	for i, f := range s.files {
		f.Seeds = f.Seeds[s.current[i]:][:1]
		way := reader.Ways()[s.rng.IntN(len(reader.Ways()))]
		if !s.reads(reader.Job{Dir: s.daemon.point, Files: []reader.File{f}, Way: way, Seed: s.rng.Uint64(), Passes: 1}, after) {
			return false
		}
	}
	return true
}

// reads does a job of one pass until it succeeds.
func (s *stage) reads(job reader.Job, after string) bool {
	var last reader.Tally
	for end := time.Now().Add(s.patience); time.Now().Before(end); time.Sleep(pollTime) {
		r, err := reader.Start(job)
		if err != nil {
			s.report.note("%s: %v", after, err)
			return false
		}
		last, err = r.Wait(s.patience)
		if errors.Is(err, reader.ErrHang) {
			s.report.Bad.Hangs++
			s.report.note("%s: a reader of %s by %s hangs", after, job.Files[0].Name, job.Way)
			return false
		}
		if last.Wrong == 0 { // what is seen until the kernel looks again may be the other content
			s.report.add(last)
		}
		if last.Good > 0 {
			return true
		}
	}
	s.report.Bad.Unhealed++
	s.report.note("%s: %s by %s does not heal: %v %s", after, job.Files[0].Name, job.Way, last.Errors, last.Detail)
	s.report.add(last)
	return false
}

// settle ends the readers and the mount, and looks for what is left.
func (s *stage) settle() {
	r := s.report
	s.stopReaders()
	r.Seconds = time.Since(r.began).Seconds()
	defer func() { r.Peak = s.daemon.peak }()
	if log := s.daemon.lastWords(); strings.Contains(log, "DATA RACE") { // met on the way out
		r.Bad.Deaths++
		r.note("a daemon ended with %s", log)
	}
	var held string
	for end := time.Now().Add(s.patience); time.Now().Before(end); time.Sleep(pollTime) {
		now, status, err := s.daemon.sample()
		if err != nil {
			r.Bad.Deaths++
			r.note("at the end: %v", err)
			return
		}
		r.End = now
		if held = s.leaks(r.Begin, now); status.OpenFiles == 0 && status.CachePinned == 0 && held == "" {
			return
		}
		held = fmt.Sprintf("%s; %d files open, %d bytes pinned", held, status.OpenFiles, status.CachePinned)
	}
	r.Bad.Leaks++
	r.note("at the end the daemon holds %s", held)
}

// leaks says what a daemon without readers holds beyond what it held before.
// The cache may be full now, and go-fuse keeps some goroutines ready.
func (s *stage) leaks(before, now sample) string {
	switch {
	case now.RSS > before.RSS+cacheSize+(32<<20) && !s.race: // whose memory is its own
		return fmt.Sprintf("%d bytes of memory, %d before", now.RSS, before.RSS)
	case now.Files > before.Files+4:
		return fmt.Sprintf("%d descriptors, %d before", now.Files, before.Files)
	case now.Goroutines > before.Goroutines+16:
		return fmt.Sprintf("%d goroutines, %d before", now.Goroutines, before.Goroutines)
	}
	return ""
}

// close ends all that is left of the stage, whether it failed with err or not.
func (s *stage) close(err error) error {
	errs := []error{err}
	for _, r := range s.readers {
		_ = r.Signal(os.Kill) // it may have ended
	}
	if s.disk != nil {
		_, _ = s.disk.Mend() // it may be unplugged
	}
	if s.daemon.pid != 0 {
		errs = append(errs, s.daemon.umount())
		if !s.daemon.gone() {
			s.report.Bad.Leaks++
			s.report.note("the daemon is left after its mount")
			errs = append(errs, s.daemon.kill())
		}
	}
	if s.disk != nil {
		errs = append(errs, s.disk.Stop())
	}
	errs = append(errs, s.daemon.close())
	return errors.Join(errs...)
}
