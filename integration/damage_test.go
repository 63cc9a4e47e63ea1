package integration

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/scapefs/scapefs/fs"
	"golang.org/x/sys/unix"

	"github.com/scapefs/scapefs/archive"
	"github.com/scapefs/scapefs/index"
)

// damage is what befalls an archive.
type damage struct {
	name string
	bad  []byte // what is left of it
	cut  bool
}

// places are the offsets where something begins or ends in an archive.
func places(t *testing.T, path string) (list []int) {
	t.Helper()
	src, err := archive.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := archive.Open(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	list = []int{0, index.HeaderLen, int(r.StoredSize()) - index.TrailerLen, int(r.StoredSize())}
	for _, row := range r.Index().Rows {
		list = append(list, int(row.Pos), int(row.PayloadPos()), int(row.RecordEnd()))
	}
	return list
}

// cutLengths are lengths to cut an archive to: around all places, and between.
func cutLengths(places []int, rng *rand.Rand, random int) (lengths []int) {
	size := slices.Max(places)
	for _, at := range places {
		lengths = append(lengths, at-1, at, at+1)
	}
	for range random {
		lengths = append(lengths, rng.IntN(size))
	}
	slices.Sort(lengths)
	return slices.DeleteFunc(slices.Compact(lengths), func(n int) bool { return n < 0 || n >= size })
}

// damages cuts a sound archive, flips bits of it and has bursts run over it.
func damages(sound []byte, places []int, rng *rand.Rand) (all []damage) {
	for _, n := range cutLengths(places, rng, 20) {
		all = append(all, damage{fmt.Sprintf("cut-to-%d", n), bytes.Clone(sound[:n]), true})
	}
	for range 40 {
		bit, b := rng.IntN(8*len(sound)), bytes.Clone(sound)
		b[bit/8] ^= 1 << (bit % 8)
		all = append(all, damage{fmt.Sprintf("bit-%d", bit), b, false})
	}
	for i := range 40 {
		n := 1 + rng.IntN(1<<(4+i%12))
		at, from := rng.IntN(len(sound)-n), rng.IntN(len(sound)-n)
		b := bytes.Clone(sound)
		switch i % 3 {
		case 0:
			clear(b[at:][:n])
		case 1:
			copy(b[at:], bytes.Repeat([]byte{0xff}, n))
		default: // as when a disk writes to the wrong place
			copy(b[at:], sound[from:][:n])
		}
		if !bytes.Equal(b, sound) {
			all = append(all, damage{fmt.Sprintf("burst-%d-at-%d", n, at), b, false})
		}
	}
	return all
}

// A sample of all that can befall an archive: verify names each that is damaged,
// with a place, unpack gives nothing of it, and the mount exact bytes or EIO.
func TestSampleOfDamage(t *testing.T) {
	want, err := os.ReadFile(small(t))
	if err != nil {
		t.Fatal(err)
	}
	first := filepath.Join(t.TempDir(), "m.scape")
	must(t, "pack", "--chunk-size", "64KiB", "-o", first, small(t))
	sound, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	all := damages(sound, places(t, first), rand.New(rand.NewPCG(7, 7)))
	packed, out := t.TempDir(), filepath.Join(t.TempDir(), "out")
	for _, d := range all {
		write(t, filepath.Join(packed, d.name+".scape"), d.bad)
	}
	verified := scapefs(t, "verify", packed)
	unpacked := scapefs(t, "unpack", "-o", out, packed)
	if verified.code != 3 || unpacked.code != 3 {
		t.Errorf("verify: exit %d, unpack: exit %d; want 3", verified.code, unpacked.code)
	}
	point := mount(t, packed)
	for _, d := range all {
		path := filepath.Join(packed, d.name+".scape")
		exact := strings.Contains(verified.stdout, path+": ok")
		if d.cut && exact {
			t.Errorf("%s is not noticed", d.name)
		}
		if !exact {
			namesPlace(t, verified.stderr, path, len(d.bad))
			namesPlace(t, unpacked.stderr, path, len(d.bad))
		}
		got, err := os.ReadFile(filepath.Join(out, d.name+".safetensors"))
		if exact && !bytes.Equal(got, want) || !exact && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s, which is exact: %v, unpacked to %d bytes: %v", d.name, exact, len(got), err)
		}
		failed, err := readPieces(filepath.Join(point, d.name+".safetensors"), want)
		if err != nil || exact != (failed == 0) || d.cut && failed < pieces(want) {
			t.Errorf("%s, which is exact: %v, through the mount: %d of %d pieces failed, %v", d.name, exact, failed, pieces(want), err)
		}
	}
}

// namesPlace demands an error of corruption with an offset; what has not even a
// file header is no archive.
func namesPlace(t *testing.T, stderr, path string, size int) {
	t.Helper()
	for line := range strings.Lines(stderr) {
		_, after, found := strings.Cut(line, path+": ")
		if found && (strings.Contains(after, "at offset ") && strings.Contains(after, "archive is corrupt") ||
			size < index.HeaderLen && strings.Contains(after, "not a scape archive")) {
			return
		}
	}
	t.Errorf("%s is not named, with its place: %.2000s", path, stderr)
}

const piece = 32 << 10

func pieces(want []byte) int { return (len(want) + piece - 1) / piece }

// readPieces reads a file of a mount piece by piece, past the page cache: each
// is exact, or fails with EIO. If the file cannot be opened, all of them fail.
func readPieces(path string, want []byte) (failed int, err error) {
	f, err := os.Open(path)
	if errors.Is(err, unix.EIO) {
		return pieces(want), nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return readPiecesOf(f, want)
}

func readPiecesOf(f *os.File, want []byte) (failed int, err error) {
	if err := fs.Evict(f); err != nil {
		return 0, err
	}
	buf := make([]byte, piece)
	for at := 0; at < len(want); at += piece {
		expected := want[at:min(at+piece, len(want))]
		got, err := io.ReadFull(io.NewSectionReader(f, int64(at), int64(len(expected))), buf[:len(expected)])
		switch {
		case errors.Is(err, unix.EIO):
			failed++
		case err != nil:
			return failed, err
		case !bytes.Equal(buf[:got], expected):
			return failed, fmt.Errorf("wrong bytes in [%d, %d)", at, at+got)
		}
	}
	return failed, nil
}

// Archives that are cut while they are read through the mount give exact bytes
// or EIO to who has them open, and EIO to who opens them after.
func TestArchivesCutWhileOpen(t *testing.T) {
	want, err := os.ReadFile(small(t))
	if err != nil {
		t.Fatal(err)
	}
	packed := t.TempDir()
	first := filepath.Join(packed, "0.scape")
	must(t, "pack", "--chunk-size", "64KiB", "-o", first, small(t))
	at := places(t, first)
	size := slices.Max(at)
	lengths := cutLengths(at, rand.New(rand.NewPCG(1, 1)), 12)
	for i := 1; i < len(lengths); i++ {
		copyFile(t, filepath.Join(packed, fmt.Sprint(i, ".scape")), first)
	}
	point := mount(t, packed)
	for i, n := range lengths {
		shown := filepath.Join(point, fmt.Sprint(i, ".safetensors"))
		f, err := os.Open(shown)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if i%2 == 0 { // what was read before may be kept
			if failed, err := readPiecesOf(f, want); failed != 0 || err != nil {
				t.Fatalf("sound: %d pieces failed, %v", failed, err)
			}
		}
		if err := os.Truncate(filepath.Join(packed, fmt.Sprint(i, ".scape")), int64(n)); err != nil {
			t.Fatal(err)
		}
		failed, err := readPiecesOf(f, want)
		if err != nil || i%2 == 1 && n < size/2 && failed == 0 {
			t.Errorf("cut to %d of %d bytes while open: %d pieces failed, %v", n, size, failed, err)
		}
		eventually(t, "EIO on the cut archive", func() error {
			if failed, err := readPieces(shown, want); err != nil || failed < pieces(want) {
				return fmt.Errorf("%d pieces failed, %w", failed, err)
			}
			return nil
		})
	}
}

// Archives with one fault each fail to be read through the mount, but those two
// whose every sum is right: that their chunks are not the original's, only the
// SHA-256 of the whole tells, and that is what verify and unpack compare.
func TestCorruptVectorsThroughTheMount(t *testing.T) {
	packed := t.TempDir()
	vectors, err := filepath.Glob("../testdata/corrupt/*.scape")
	if err != nil || len(vectors) < 20 {
		t.Fatalf("%d vectors: %v", len(vectors), err)
	}
	for _, path := range vectors {
		copyFile(t, filepath.Join(packed, filepath.Base(path)), path)
	}
	point := mount(t, packed)
	readable := map[string]bool{"sound": true, "foreign-chunk": true, "swapped-chunks": true}
	for _, path := range vectors {
		name := strings.TrimSuffix(filepath.Base(path), ".scape")
		b, err := os.ReadFile(filepath.Join(point, name+".safetensors"))
		if readable[name] != (err == nil) || err != nil && !errors.Is(err, unix.EIO) {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
	}
}
