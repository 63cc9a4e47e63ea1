package integration

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/scapefs/scapefs/integration/torture/faulty"
	"github.com/scapefs/scapefs/integration/torture/reader"
	"github.com/scapefs/scapefs/integration/torture/rig"
	"github.com/scapefs/scapefs/integration/torture/weights"
)

// The readers of these tests would notice a wrong byte, and the disk fails as
// it is told: here no archive is between them.
func TestReadersNoticeWrongBytes(t *testing.T) {
	r := &trial{t: t, folder: t.TempDir(), point: mountPoint(t)}
	right := reader.File{Name: "w", Tensors: 2, Seeds: []uint64{4, 5}}
	path := filepath.Join(r.folder, right.Name)
	if err := rig.WriteFile(path, weights.New(5, 2)); err != nil {
		t.Fatal(err)
	}
	disk, err := faulty.Start(r.folder, r.point)
	if err != nil {
		t.Fatal(err)
	}
	r.disk = disk
	t.Cleanup(func() {
		if err := disk.Stop(); err != nil {
			t.Error(err)
		}
	})
	for _, way := range []reader.Way{reader.Read, reader.Pread, reader.Direct} { // the disk cannot be mapped
		if tally := r.read(r.job(way, 2, right)); tally.Good != 2 {
			t.Errorf("%s: %+v of a sound disk", way, tally)
		}
		for _, kind := range []faulty.Kind{faulty.Flip, faulty.Cut} {
			r.set(faulty.Fault{Kind: kind})
			if tally := r.mistaken(r.job(way, 1, right)); tally.Wrong != 1 || tally.Detail == "" {
				t.Errorf("%s, %s: %+v", way, kind, tally)
			}
			r.mend()
		}
		r.set(faulty.Fault{Kind: faulty.EIO})
		if tally := r.read(r.job(way, 1, right)); tally.Errors["EIO"] != 1 {
			t.Errorf("%s, errors: %+v", way, tally)
		}
		r.mend()
	}

	r.point = r.folder
	wrong := reader.File{Name: "w", Tensors: 2, Seeds: []uint64{4}}
	larger := reader.File{Name: "w", Tensors: 3, Seeds: []uint64{5}}
	for _, way := range reader.Ways() {
		if tally := r.read(r.job(way, 1, right)); tally.Good != 1 {
			t.Errorf("%s: %+v of a plain file", way, tally)
		}
		if tally := r.mistaken(r.job(way, 1, wrong)); tally.Wrong != 1 && way != reader.Names {
			t.Errorf("%s, other bytes: %+v", way, tally)
		}
		if tally := r.mistaken(r.job(way, 1, larger)); tally.Wrong != 1 {
			t.Errorf("%s, too short: %+v", way, tally)
		}
	}
	if err := os.Truncate(path, 1<<20); err != nil {
		t.Fatal(err)
	}
	if tally := r.mistaken(r.job(reader.Mmap, 1, right)); tally.Wrong+int64(tally.Errors["SIGBUS"]) != 1 {
		t.Errorf("mapped beyond the end: %+v", tally)
	}
}

// mistaken does a job that finds wrong bytes.
func (r *trial) mistaken(job reader.Job) reader.Tally {
	r.t.Helper()
	tally, err := r.start(job).Wait(hangLimit)
	if err != nil {
		r.t.Fatalf("reader by %s: %v", job.Way, err)
	}
	return tally
}
