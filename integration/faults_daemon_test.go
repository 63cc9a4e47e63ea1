package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/scapefs/scapefs/fs"
	"github.com/scapefs/scapefs/integration/torture/faulty"
	"github.com/scapefs/scapefs/integration/torture/reader"
)

// A daemon killed under load is an error to its readers; the mount that takes
// its place clears it away, and they read on.
func TestKilledDaemonIsReplaced(t *testing.T) {
	r := newTrial(t, 3, 3)
	readers := r.everyWay()
	for range 4 {
		r.onward(readers, 2)
		if err := unix.Kill(daemonOf(t, r.point), unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		r.onward(readers, 2)
		r.remount()
	}
	r.onward(readers, 2)
	r.stop(readers)
	r.heals()
	r.settles()
}

// Who has a file open when its mount is taken away reads it to the end; the
// daemon ends after the last of them, and not before.
func TestLazyUnmountUnderLoad(t *testing.T) {
	r := newTrial(t, 1, 24, "--cache-size", "16MiB")
	daemon := daemonOf(t, r.point)
	path := filepath.Join(r.point, r.files[0].Name)
	want, err := hashByRead(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	readers := r.everyWay()
	r.onward(readers, 1)
	must(t, "umount", r.point)
	r.onward(readers, 1) // which fail from now on
	r.stop(readers)
	if err := fs.Evict(f); err != nil {
		t.Fatal(err)
	}
	if got, err := hash(f); err != nil || got != want {
		t.Errorf("the file that is open: %v, SHA-256 equal %v", err, got == want)
	}
	if err := unix.Kill(daemon, 0); err != nil {
		t.Errorf("the daemon while a file is open: %v", err)
	}
	f.Close()
	poll(t, "the daemon's end", func() error {
		if !errors.Is(unix.Kill(daemon, 0), unix.ESRCH) {
			return errors.New("it is still there")
		}
		return nil
	})
	must(t, "mount", r.disk.Point(), r.point) // for the cleanup to unmount
}

// A daemon that may not open more files refuses some of them, and serves the
// others right; when some are closed, it opens others.
func TestFewDescriptors(t *testing.T) {
	const files, limit = 100, 64
	folder := t.TempDir()
	r := &trial{t: t, folder: folder, files: []reader.File{{Name: "f0.safetensors", Tensors: 1, Seeds: []uint64{0}}}}
	r.pack(0, 0)
	for i := 1; i < files; i++ {
		copyFile(t, r.archive(i), r.archive(0))
		r.files = append(r.files, reader.File{Name: fmt.Sprintf("f%d.safetensors", i), Tensors: 1, Seeds: []uint64{0}})
	}
	r.point = mountPoint(t)
	cmd := exec.Command("sh", "-c", fmt.Sprintf(`ulimit -n %d; exec "$0" "$@"`, limit), program, "mount", folder, r.point)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("mount: %v\n%s", err, out)
	}
	t.Cleanup(func() { must(t, "umount", r.point) })

	want, err := hashByRead(filepath.Join(r.point, r.files[0].Name))
	if err != nil {
		t.Fatal(err)
	}
	var open []*os.File
	var refused error
	for _, f := range r.files {
		file, err := os.Open(filepath.Join(r.point, f.Name))
		if err != nil {
			refused = err
			continue
		}
		open = append(open, file)
		defer file.Close()
	}
	if len(open) < limit/4 || len(open) > limit {
		t.Errorf("%d files could be opened with %d descriptors", len(open), limit)
	}
	t.Logf("%d files are open, the next: %v", len(open), refused)
	for _, f := range open {
		if got, err := hash(f); err != nil || got != want {
			t.Errorf("%s: %v, SHA-256 equal %v", f.Name(), err, got == want)
		}
		f.Close()
	}
	for _, way := range reader.Ways() {
		poll(t, "reads by "+string(way)+" after files were closed", func() error {
			if tally := r.read(r.job(way, 30)); tally.Good != 30 {
				return fmt.Errorf("errors %v", tally.Errors)
			}
			return nil
		})
	}
}

// Logs that find no room are lost; reads are not.
func TestFullDiskForLogs(t *testing.T) {
	if os.Getuid() != 0 {
		missing(t, "root, to mount a small tmpfs")
	}
	disk := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk).CombinedOutput(); err != nil {
		missing(t, fmt.Sprintf("a tmpfs (%v: %s)", err, out))
	}
	defer exec.Command("umount", "-l", disk).Run()
	if err := os.WriteFile(filepath.Join(disk, "full"), make([]byte, 1<<20), 0o600); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("filling the disk: %v", err)
	}
	log := filepath.Join(disk, "log")
	r := newTrial(t, 2, 3, "--log-file", log)
	r.set(faulty.Fault{Kind: faulty.EIO, Name: "f0.scape", OneIn: 3, Names: true})
	readers := r.everyWay()
	r.befalls()
	r.onward(readers, 5)
	r.stop(readers)
	if tally := r.read(r.job(reader.Read, 3, r.files[1])); tally.Good != 3 {
		t.Errorf("of the sound archive: errors %v", tally.Errors)
	}
	r.mend()
	r.heals()
	info, err := os.Stat(log)
	if err != nil || info.Size() > 0 {
		t.Errorf("the log found room: %v, %v", info, err)
	}
}

// Thousands of signals, and readers killed in the midst of reads, leave no
// wrong byte and nothing behind in the daemon.
func TestThousandsOfInterrupts(t *testing.T) {
	r := newTrial(t, 2, 4)
	var readers []*reader.Reader
	for _, way := range reader.Ways() {
		job := r.job(way, 0)
		job.Deaf = true
		readers = append(readers, r.start(job))
	}
	r.onward(readers, 1)
	const enough = 2000
	for i := 0; heard(readers) < enough && i < 20*enough; i++ {
		for _, p := range readers {
			if err := p.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Millisecond)
		if i%30 == 0 {
			r.interrupted(i)
		}
	}
	r.onward(readers, 1)
	sum := r.stop(readers)
	t.Logf("%d signals heard", sum.Signals)
	if sum.Signals < enough {
		t.Errorf("only %d signals were heard", sum.Signals)
	}
	r.heals()
	r.settles()
}

// heard counts the signals that readers have heard.
func heard(readers []*reader.Reader) (n int64) {
	for _, p := range readers {
		now, _ := p.Tally()
		n += now.Signals
	}
	return n
}

// interrupted starts a reader and ends it at some time.
func (r *trial) interrupted(seed int) {
	r.t.Helper()
	way := reader.Ways()[seed/30%len(reader.Ways())]
	p := r.start(r.job(way, 0))
	time.Sleep(time.Duration(rand.IntN(40)) * time.Millisecond)
	if err := p.Signal(syscall.SIGINT); err != nil {
		r.t.Fatal(err)
	}
	if tally, err := p.Wait(hangLimit); err == reader.ErrHang {
		r.t.Errorf("a reader by %s does not leave", way)
	} else {
		r.sound(tally)
	}
}

// settles waits until the daemon holds nothing for readers any more.
func (r *trial) settles() {
	r.t.Helper()
	poll(r.t, "a mount without readers", func() error {
		var s fs.Status
		out := must(r.t, "status", "--json", r.point).stdout
		if err := json.Unmarshal([]byte(out), &s); err != nil {
			return err
		}
		if s.OpenFiles != 0 || s.Queued != 0 || s.CachePinned != 0 {
			return fmt.Errorf("%d files open, %d pieces queued, %d bytes pinned", s.OpenFiles, s.Queued, s.CachePinned)
		}
		return nil
	})
}
