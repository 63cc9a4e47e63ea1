package integration

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/scapefs/scapefs/integration/torture/faulty"
	"github.com/scapefs/scapefs/integration/torture/reader"
	"github.com/scapefs/scapefs/integration/torture/rig"
)

// hangLimit is after how long what has not answered hangs, however busy the
// machine is.
const hangLimit = 3 * time.Minute

// trial is a folder of archives on a disk that fails when told to, mounted,
// and what readers should see there.
type trial struct {
	t      *testing.T
	folder string // of the archives, behind the disk
	disk   *faulty.Disk
	point  string
	files  []reader.File
}

// newTrial mounts files of so many tensors of 1 MiB.
func newTrial(t *testing.T, files, tensors int, options ...string) *trial {
	t.Helper()
	r := &trial{t: t, folder: filepath.Join(t.TempDir(), "archives")}
	if err := os.Mkdir(r.folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range files {
		f := reader.File{Name: fmt.Sprintf("f%d.safetensors", i), Tensors: tensors, Seeds: []uint64{uint64(i)}}
		r.files = append(r.files, f)
		r.pack(i, uint64(i))
	}
	at := mountPoint(t)
	disk, err := faulty.Start(r.folder, at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.disk.Stop(); err != nil {
			t.Errorf("stop the disk: %v", err)
		}
	})
	r.disk = disk
	r.point = mount(t, at, options...)
	t.Cleanup(func() { _, _ = r.disk.Mend() }) // lest unmounting hang
	return r
}

// remount mounts again. A busy machine may leave a new process without its turn
// for longer than a mount may take to answer.
func (r *trial) remount() {
	r.t.Helper()
	poll(r.t, "a mount", func() error {
		if res := scapefs(r.t, "mount", r.disk.Point(), r.point); res.code != 0 {
			return errors.New(res.stderr)
		}
		return nil
	})
}

// archive is where the i-th file's archive is, behind the disk.
func (r *trial) archive(i int) string { return filepath.Join(r.folder, fmt.Sprintf("f%d.scape", i)) }

// pack makes the i-th archive hold what seed gives.
func (r *trial) pack(i int, seed uint64) {
	r.t.Helper()
	if err := rig.Pack(program, r.archive(i), seed, r.files[i].Tensors); err != nil {
		r.t.Fatal(err)
	}
}

func (r *trial) set(f faulty.Fault) {
	r.t.Helper()
	if _, err := r.disk.Set(f); err != nil {
		r.t.Fatalf("the faulty disk: %v", err)
	}
}

// mend ends the fault, which must have befallen something.
func (r *trial) mend() {
	r.t.Helper()
	hit, err := r.disk.Mend()
	if err != nil {
		r.t.Fatalf("the faulty disk: %v", err)
	}
	if hit == 0 {
		r.t.Error("no request has met the fault")
	}
}

// befalls waits until the fault has befallen something.
func (r *trial) befalls() {
	r.t.Helper()
	poll(r.t, "a request meeting the fault", func() error {
		hit, err := r.disk.Hit()
		if err == nil && hit == 0 {
			err = errors.New("none has")
		}
		return err
	})
}

// job reads files in one way.
func (r *trial) job(way reader.Way, passes int, files ...reader.File) reader.Job {
	if len(files) == 0 {
		files = r.files
	}
	return reader.Job{Dir: r.point, Files: files, Way: way, Passes: passes, Seed: uint64(len(way))}
}

// start begins a job. Its process ends with the test, if not before.
func (r *trial) start(job reader.Job) *reader.Reader {
	r.t.Helper()
	p, err := reader.Start(job)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		if r.disk != nil {
			_, _ = r.disk.Mend() // lest it hang; the disk may be unplugged
		}
		_ = p.Signal(os.Kill) // it may have ended
		<-p.Done()
	})
	return p
}

// everyWay starts a reader for each way to read that goes on until stopped.
func (r *trial) everyWay() (all []*reader.Reader) {
	r.t.Helper()
	for _, way := range reader.Ways() {
		all = append(all, r.start(r.job(way, 0)))
	}
	return all
}

// read does a job and gives what it saw. No byte of it is wrong.
func (r *trial) read(job reader.Job) reader.Tally {
	r.t.Helper()
	tally, err := r.start(job).Wait(hangLimit)
	if err != nil {
		r.t.Fatalf("reader by %s: %v", job.Way, err)
	}
	r.sound(tally)
	return tally
}

// sound checks that no byte was wrong.
func (r *trial) sound(tally reader.Tally) {
	r.t.Helper()
	if tally.Wrong != 0 {
		r.t.Errorf("wrong bytes %d times: %s", tally.Wrong, tally.Detail)
	}
}

// stop ends readers and gives what they saw together: they did not hang, and
// no byte was wrong.
func (r *trial) stop(readers []*reader.Reader) (sum reader.Tally) {
	r.t.Helper()
	for _, p := range readers {
		tally, err := p.Stop(hangLimit)
		if err != nil {
			r.t.Errorf("reader by %s: %v", p.Job.Way, err)
		}
		sum.Add(tally)
	}
	r.sound(sum)
	r.t.Logf("%d passes, %d good, %d MiB compared, errors %v", sum.Passes, sum.Good, sum.Bytes>>20, sum.Errors)
	return sum
}

// onward waits until each reader has done so many more passes.
func (r *trial) onward(readers []*reader.Reader, passes int) {
	r.t.Helper()
	for _, p := range readers {
		before, _ := p.Tally()
		poll(r.t, "a reader by "+string(p.Job.Way)+" going on", func() error {
			if now, _ := p.Tally(); now.Passes < before.Passes+passes {
				return fmt.Errorf("%d passes, of %d", now.Passes-before.Passes, passes)
			}
			return nil
		})
	}
}

// heals waits until every file reads right in every way.
func (r *trial) heals() {
	r.t.Helper()
	for _, f := range r.files {
		for _, way := range reader.Ways() {
			poll(r.t, f.Name+" by "+string(way)+" once the fault is over", func() error {
				tally := r.read(r.job(way, 1, f))
				if tally.Good != 1 {
					return fmt.Errorf("errors %v", tally.Errors)
				}
				return nil
			})
		}
	}
}

// poll waits for check to be content, up to hangLimit.
func poll(t *testing.T, what string, check func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(hangLimit); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	t.Fatalf("%s: %v", what, errors.Join(err, errors.New("waited in vain")))
}
