package fs

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// holdMapped maps a file, closes it, and gives the SHA-256 of what is mapped each
// time it is asked to.
func holdMapped(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	b, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	f.Close()
	if err != nil {
		return err
	}
	defer unix.Munmap(b)
	fmt.Println("mapped")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Printf("%x\n", sha256.Sum256(b))
	}
	return nil
}

// What is mapped stays what it was, though its file was closed and its archive
// replaced, and the kernel has dropped its pages.
func TestMappingOutlivesItsFile(t *testing.T) {
	forPageCaches(t, func(t *testing.T, pages PageCache) {
		r := newRig(t)
		data := weights(8<<20, 1)
		r.add("model.scape", data, raw)
		r.mount(Options{PageCache: pages, CacheSize: MinCacheSize})
		mapped := startTalk(t, "hold-mapped", filepath.Join(r.point, "model.safetensors"))
		mapped.hear()
		want := fmt.Sprintf("%x", sha256.Sum256(data))
		if got := mapped.say("sum"); got != want {
			t.Errorf("mapped: %s, want %s", got, want)
		}
		original := r.add("model.scape", weights(9<<20, 2), raw)
		child(t, "compare", filepath.Join(r.point, "model.safetensors"), original)
		shell(t, "echo 1 > /proc/sys/vm/drop_caches")
		if got := mapped.say("sum"); got != want {
			t.Errorf("after the archive was replaced: %s, want %s", got, want)
		}
	})
}

// What is in the page cache is not asked for again, by way of another open file
// either, until it is evicted.
func TestPagesAreKeptUntilTheyAreEvicted(t *testing.T) {
	forPageCaches(t, func(t *testing.T, pages PageCache) {
		r := newRig(t)
		r.add("model.scape", weights(8<<20, 1), raw)
		r.mount(Options{PageCache: pages, Readahead: -1})
		if got := r.server.Status().PageCache; got != pages {
			t.Errorf("status says %s, not %s", got, pages)
		}
		shown := filepath.Join(r.point, "model.safetensors")
		shell(t, "cat "+shown)
		once := r.server.Stats().ReadBytes
		shell(t, "cat "+shown)
		if again := r.server.Stats().ReadBytes; once != 8<<20 || again != once {
			t.Errorf("%d bytes were asked for, then %d", once, again)
		}
		child(t, "evict", shown)
		shell(t, "cat "+shown)
		if after := r.server.Stats().ReadBytes; after != 2*once {
			t.Errorf("%d bytes were asked for in all after eviction, want %d", after, 2*once)
		}
	})
}

// readahead(2) brings a file into the page cache that its readers look at.
func TestReadaheadIsHeard(t *testing.T) {
	forPageCaches(t, func(t *testing.T, pages PageCache) {
		r := newRig(t)
		const size = 4 << 20
		r.add("model.scape", weights(size, 1), raw)
		r.mount(Options{PageCache: pages, Readahead: -1})
		shown := filepath.Join(r.point, "model.safetensors")
		child(t, "readahead", shown)
		eventually(t, "the file has been read ahead", func() bool { return r.server.Stats().ReadBytes >= size })
		shell(t, "cat "+shown)
		if got := r.server.Stats().ReadBytes; got != size {
			t.Errorf("%d bytes were asked for, of a file of %d", got, size)
		}
	})
}

// advise opens a file and calls op.
func advise(path string, op func(*os.File) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return op(f)
}

func readahead(f *os.File) error {
	return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_WILLNEED)
}

// On a source that is itself stacked, files cannot be passed through, and archives
// are shown as well.
func TestSourceOnOverlay(t *testing.T) {
	r := newRig(t)
	original := r.add("model.scape", weights(4<<20, 1), raw)
	r.write("plain.txt", "plain")
	upper, work, merged := filepath.Join(r.folder, "upper"), filepath.Join(r.folder, "work"), filepath.Join(r.folder, "merged")
	for _, dir := range []string{upper, work, merged} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", r.source, upper, work)
	err := unix.Mount("overlay", merged, "overlay", 0, options)
	if err != nil && os.Getenv("SCAPEFS_REQUIRE") == "" {
		t.Skipf("SKIPPED: no overlay: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(merged, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	r.source = merged
	r.mount(Options{})
	for range 2 {
		if got := shell(t, "cat "+r.point+"/plain.txt"); got != "plain" {
			t.Errorf("%q", got)
		}
		child(t, "compare", filepath.Join(r.point, "model.safetensors"), original)
	}
	if log := r.log.String(); log != "" {
		t.Errorf("logged: %s", log)
	}
}

// Evict takes files of any file system.
func TestEvictOfAPlainFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(path, []byte("plain"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := advise(path, func(f *os.File) error {
		if err := Evict(f); err != nil {
			return err
		}
		b, err := io.ReadAll(f)
		if !bytes.Equal(b, []byte("plain")) {
			t.Errorf("%q", b)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
