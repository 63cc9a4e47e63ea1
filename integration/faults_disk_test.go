package integration

import (
	"os"
	"testing"
)

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
