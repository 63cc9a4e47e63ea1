package integration

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/scapefs/scapefs/fs"
	"golang.org/x/sys/unix"

	"github.com/scapefs/scapefs/codec"
)

// Every model, by every method and level, read in every way, is what it was.
func TestEveryMethodReadsBack(t *testing.T) {
	needFUSE(t)
	profile := filepath.Join(t.TempDir(), "profile")
	must(t, "train", "--k", "1", "-o", profile, filepath.Join("..", "testdata", "stories260k.bf16.safetensors"))
	choices := map[string][]string{}
	for _, m := range codec.Methods() {
		choices[m.String()] = []string{"--codec", m.String()}
		if m.NeedsProfile() {
			choices[m.String()] = append(choices[m.String()], "--profile", profile)
		}
	}
	for _, l := range codec.Levels() {
		choices["auto, "+l.String()] = []string{"--level", l.String()}
	}
	for name, choice := range choices {
		t.Run(name, func(t *testing.T) {
			packed := t.TempDir()
			files := models(t)
			args := append([]string{"pack"}, choice...)
			must(t, append(append(args, "-o", packed+"/"), files...)...)
			point := mount(t, packed)
			for _, file := range files {
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				checkReads(t, filepath.Join(point, filepath.Base(file)), want)
			}
		})
	}
}

// checkReads reads path in several ways and compares with want.
func checkReads(t *testing.T, path string, want []byte) {
	t.Helper()
	for name, read := range map[string]func(string) ([32]byte, error){"read": hashByRead, "mmap": hashByMmap} {
		got, err := read(path)
		if err != nil || got != sha256.Sum256(want) {
			t.Errorf("%s of %s: %v, SHA-256 equal %v", name, path, err, got == sha256.Sum256(want))
		}
	}
	if err := randomReads(path, want, 200); err != nil {
		t.Error(err)
	}
}

func hashByRead(path string) (sum [32]byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	return hash(f)
}

// hash reads an open file from its start.
func hash(f *os.File) (sum [32]byte, err error) {
	h := sha256.New()
	_, err = io.CopyBuffer(struct{ io.Writer }{h}, io.NewSectionReader(f, 0, 1<<40), make([]byte, 1<<20))
	return [32]byte(h.Sum(nil)), err
}

func hashByMmap(path string) (sum [32]byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return sum, err
	}
	b, err := unix.Mmap(int(f.Fd()), 0, int(st.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return sum, err
	}
	defer unix.Munmap(b)
	return sha256.Sum256(b), nil
}

// randomReads compares n preads at odd offsets and lengths, over the end
// included, with want. The page cache is dropped now and then, so that they
// reach the mount.
func randomReads(path string, want []byte, n int) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r := rand.New(rand.NewPCG(uint64(len(want)), 1))
	buf := make([]byte, 3<<20)
	for i := range n {
		if i%20 == 0 {
			if err := fs.Evict(f); err != nil {
				return err
			}
		}
		off := r.Int64N(int64(len(want)) + 10)
		size := 1 + r.IntN(1<<r.IntN(21))
		got, err := f.ReadAt(buf[:size], off)
		end := min(off+int64(size), int64(len(want)))
		expect := want[min(off, end):end]
		if !bytes.Equal(buf[:got], expect) || (err != nil) != (len(expect) < size) || err != nil && err != io.EOF {
			return fmt.Errorf("%s: pread of %d bytes at %d gave %d, expected %d: %v", path, size, off, got, len(expect), err)
		}
	}
	return nil
}

// Many threads that read and map one file at once get the same bytes, each.
func TestConcurrentReaders(t *testing.T) {
	packed := t.TempDir()
	big := strings.Join([]string{packed, "big.safetensors"}, "/")
	want := repeatModel(t, 48<<20)
	write(t, big, want)
	must(t, "pack", "--replace", big)
	point := mount(t, packed, "--cache-size", "64MiB")
	path := filepath.Join(point, "big.safetensors")
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			var err error
			sum := sha256.Sum256(want)
			switch got := sum; i % 3 {
			case 0:
				got, err = hashByRead(path)
				if err == nil && got != sum {
					err = fmt.Errorf("read gave other bytes")
				}
			case 1:
				got, err = hashByMmap(path)
				if err == nil && got != sum {
					err = fmt.Errorf("mmap gave other bytes")
				}
			default:
				err = randomReads(path, want, 100)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// repeatModel makes size bytes that begin as a safetensors file and are too
// many to be one: they are packed as plain bytes, and read all the same.
func repeatModel(t *testing.T, size int) []byte {
	t.Helper()
	b, err := os.ReadFile(small(t))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Repeat(b, size/len(b)+1)[:size]
}

// O_DIRECT at 512-byte offsets, as loaders with io_uring use it.
func TestDirectReads(t *testing.T) {
	packed := t.TempDir()
	file := small(t)
	must(t, "pack", "-o", packed+"/", file)
	point := mount(t, packed)
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(filepath.Join(point, filepath.Base(file)), unix.O_RDONLY|unix.O_DIRECT, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	buf, err := unix.Mmap(-1, 0, 1<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(buf)
	for off := int64(512); off < int64(len(want)); off += 97 * 512 {
		n, err := unix.Pread(fd, buf[:64<<10], off)
		if err != nil || !bytes.Equal(buf[:n], want[off:min(off+64<<10, int64(len(want)))]) {
			t.Fatalf("at %d: %d bytes, %v", off, n, err)
		}
	}
}
