package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/scapefs/scapefs/integration/torture/faulty"
	"github.com/scapefs/scapefs/integration/torture/reader"
)

// fault is something that goes wrong, and goes away again.
type fault struct {
	name string
	try  func(*stage, *rand.Rand) error
}

// faults lists all there are.
func faults() []fault {
	list := []fault{
		{"archive replaced", replaceArchive},
		{"archive truncated", truncateArchive},
		{"archive deleted", deleteArchive},
		{"disk unplugged and back", unplugDisk},
		{"daemon killed, mounted again", killDaemon},
		{"unmounted under load, mounted again", unmountUnderLoad},
		{"readers interrupted", interruptReaders},
		{"readers killed", killReaders},
	}
	for _, kind := range faulty.Kinds() {
		list = append(list, fault{"disk " + string(kind), diskFault(kind)})
	}
	return list
}

// hold lets a fault last a while, and some far longer.
func hold(rng *rand.Rand) {
	most := 1800
	if rng.IntN(6) == 0 {
		most = 8000
	}
	time.Sleep(time.Duration(200+rng.IntN(most)) * time.Millisecond)
}

// faultRound tries one fault, and sees whether all is well after it.
func (s *stage) faultRound() error {
	list := faults()
	// Each in turn at first.
	f := list[s.report.Rounds%len(list)]
	if s.report.Rounds >= len(list) {
		f = list[s.rng.IntN(len(list))]
	}
	seed := s.rng.Uint64()
	fmt.Fprintf(s.log, "%6.1f s  %s\n", time.Since(s.report.began).Seconds(), f.name)
	if err := f.try(s, rand.New(rand.NewPCG(seed, 0))); err != nil {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	s.report.Faults[f.name]++
	if !s.daemon.alive() {
		s.report.Bad.Deaths++
		s.report.note("%s: the daemon has died: %s", f.name, s.daemon.lastWords())
		if err := s.daemon.start(); err != nil {
			return err
		}
	}
	if !s.healthy(f.name) {
		s.stopReaders()
		return s.startReaders()
	}
	s.workOn(f.name)
	return nil
}

// workOn waits until every reader has read another file.
func (s *stage) workOn(after string) {
	since := time.Now()
	for _, r := range s.readers {
		for {
			if _, heard := r.Tally(); heard.After(since) {
				break
			}
			if time.Since(since) > s.patience {
				s.report.Bad.Hangs++
				s.report.note("%s: a reader by %s hangs", after, r.Job.Way)
				break
			}
			time.Sleep(pollTime / 5)
		}
	}
}

// diskFault has the disk fail, for all archives or one.
func diskFault(kind faulty.Kind) func(*stage, *rand.Rand) error {
	return func(s *stage, rng *rand.Rand) error {
		f := faulty.Fault{Kind: kind, OneIn: 1 + rng.IntN(4), Names: rng.IntN(2) == 0, Seed: rng.Uint64()}
		if rng.IntN(2) == 0 {
			f.Name = filepath.Base(s.archive(rng.IntN(len(s.files))))
		}
		if _, err := s.disk.Set(f); err != nil {
			return err
		}
		hold(rng)
		hit, err := s.disk.Mend()
		s.report.Failed += hit
		return err
	}
}

func replaceArchive(s *stage, rng *rand.Rand) error {
	for range 1 + rng.IntN(8) {
		i := rng.IntN(len(s.files))
		s.current[i] = 1 - s.current[i]
		if err := s.restore(i); err != nil {
			return err
		}
		time.Sleep(time.Duration(rng.IntN(300)) * time.Millisecond)
	}
	return nil
}

func truncateArchive(s *stage, rng *rand.Rand) error {
	i := rng.IntN(len(s.files))
	info, err := os.Stat(s.archive(i))
	if err != nil {
		return err
	}
	if err := os.Truncate(s.archive(i), rng.Int64N(info.Size())); err != nil {
		return err
	}
	hold(rng)
	return s.restore(i)
}

func deleteArchive(s *stage, rng *rand.Rand) error {
	i := rng.IntN(len(s.files))
	if err := os.Remove(s.archive(i)); err != nil {
		return err
	}
	hold(rng)
	return s.restore(i)
}

func unplugDisk(s *stage, rng *rand.Rand) error {
	if err := s.disk.Unplug(); err != nil {
		return err
	}
	hold(rng)
	var err error
	s.disk, err = faulty.Start(s.folder, s.at)
	return err
}

func killDaemon(s *stage, rng *rand.Rand) error {
	if err := s.daemon.kill(); err != nil {
		return err
	}
	hold(rng)
	return s.daemon.start()
}

func unmountUnderLoad(s *stage, rng *rand.Rand) error {
	if err := s.daemon.umount(); err != nil {
		return err
	}
	if !s.daemon.gone() {
		s.report.Bad.Leaks++
		s.report.note("the daemon is left after its mount")
	}
	hold(rng)
	return s.daemon.start()
}

// interruptReaders sends a thousand signals.
func interruptReaders(s *stage, rng *rand.Rand) error {
	for range 1000 / len(s.readers) {
		for _, r := range s.readers {
			if err := r.Signal(syscall.SIGINT); err != nil {
				return err
			}
		}
		time.Sleep(time.Duration(rng.IntN(4)) * time.Millisecond)
	}
	return nil
}

// killReaders kills readers while they read.
func killReaders(s *stage, rng *rand.Rand) error {
	for range 8 {
		way := reader.Ways()[rng.IntN(len(reader.Ways()))]
		r, err := reader.Start(reader.Job{Dir: s.daemon.point, Files: s.files, Way: way, Seed: rng.Uint64()})
		if err != nil {
			return err
		}
		time.Sleep(time.Duration(rng.IntN(60)) * time.Millisecond)
		if err := r.Signal(syscall.SIGKILL); err != nil {
			return err
		}
		t, err := r.Wait(s.patience)
		if err == reader.ErrHang {
			s.report.Bad.Hangs++
			s.report.note("a reader by %s cannot be killed", way)
		}
		s.report.add(t)
	}
	return nil
}
