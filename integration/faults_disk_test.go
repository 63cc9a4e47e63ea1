package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/scapefs/scapefs/integration/torture/faulty"
)

// From a disk that fails, gives less than it is asked for, or has lost a part,
// pack makes the archive of what stands there, or none.
func TestPackFromAFailingDisk(t *testing.T) {
	folder, point := t.TempDir(), mountPoint(t)
	want := tiledModel(t, 8<<20)
	write(t, filepath.Join(folder, "m.safetensors"), want)
	disk, err := faulty.Start(folder, point)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := disk.Stop(); err != nil {
			t.Error(err)
		}
	})
	for _, tt := range []struct {
		fault faulty.Fault
		code  int
	}{
		{faulty.Fault{Kind: faulty.EIO}, 1},
		{faulty.Fault{Kind: faulty.EIO, OneIn: 5, Seed: 1}, 1},
		{faulty.Fault{Kind: faulty.EIO, Names: true}, 1},
		{faulty.Fault{Kind: faulty.Cut}, 1},
		{faulty.Fault{Kind: faulty.Cut, OneIn: 5, Seed: 1}, 1},
		{faulty.Fault{Kind: faulty.Short}, 0},
		{faulty.Fault{Kind: faulty.Slow, OneIn: 2}, 0},
	} {
		t.Run(fmt.Sprintf("%s, one in %d, names too %v", tt.fault.Kind, tt.fault.OneIn, tt.fault.Names), func(t *testing.T) {
			if _, err := disk.Set(tt.fault); err != nil {
				t.Fatal(err)
			}
			out := t.TempDir()
			args := []string{"pack", "--level", "fast", "-o", filepath.Join(out, "m.scape"), filepath.Join(point, "m.safetensors")}
			if r := scapefs(t, args...); r.code != tt.code {
				t.Errorf("exit %d, want %d: %s", r.code, tt.code, r.stderr)
			}
			if hit, err := disk.Mend(); err != nil || hit == 0 {
				t.Errorf("%d requests have met the fault: %v", hit, err)
			}
			if left := tree(t, out); len(left) != 1-tt.code {
				t.Errorf("left: %q", left)
			}
			must(t, args...)
			must(t, "unpack", "-o", filepath.Join(out, "back"), filepath.Join(out, "m.scape"))
			if err := sameFile(filepath.Join(out, "back"), want); err != nil {
				t.Errorf("after the fault: %v", err)
			}
		})
	}
}

// An archive that is replaced under its readers gives the one content or the
// other to whoever has it open, and at last the new one.
func TestArchiveReplacedUnderReaders(t *testing.T) {
	r := newTrial(t, 2, 3)
	for i := range r.files {
		r.files[i].Seeds = []uint64{uint64(i), uint64(i) + 10}
	}
	readers := r.everyWay()
	for round := range 6 {
		for i := range r.files {
			r.pack(i, r.files[i].Seeds[(round+1)%2])
		}
		r.onward(readers, 2)
	}
	r.stop(readers)
	for i := range r.files {
		r.files[i].Seeds = r.files[i].Seeds[:1]
	}
	r.heals() // to the content of the last round
}

// An archive that is cut short or removed under its readers is an error to
// them; put back, it is what it was.
func TestArchiveLostUnderReaders(t *testing.T) {
	r := newTrial(t, 2, 3)
	readers := r.everyWay()
	for _, lose := range []func(path string) error{
		func(path string) error { return os.Truncate(path, 100_000) },
		func(path string) error { return os.Truncate(path, 0) },
		os.Remove,
	} {
		if err := lose(r.archive(0)); err != nil {
			t.Fatal(err)
		}
		r.onward(readers, 3)
		r.pack(0, 0)
		r.onward(readers, 3)
	}
	r.stop(readers)
	r.heals()
}
