package fs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scapefs/scapefs/archive"
	"github.com/scapefs/scapefs/codec"
	"golang.org/x/sys/unix"
)

// logBuffer collects what a mount logs.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// rig is a source folder, its mount, and the originals beside them.
type rig struct {
	t                     *testing.T
	source, point, folder string
	log                   logBuffer
	server                *Server
}

func newRig(t *testing.T) *rig {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounting in this test needs root")
	}
	if err := unix.Access("/dev/fuse", unix.R_OK|unix.W_OK); err != nil {
		t.Skipf("/dev/fuse: %v", err)
	}
	r := &rig{t: t, folder: t.TempDir()}
	r.source, r.point = filepath.Join(r.folder, "source"), filepath.Join(r.folder, "point")
	for _, dir := range []string{r.source, r.point} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func (r *rig) mount(opt Options) {
	r.t.Helper()
	opt.Source = r.source
	opt.Logger = slog.New(slog.NewTextHandler(&r.log, nil))
	server, err := Mount(r.point, opt)
	if err != nil && opt.PageCache == PageCacheEROFS && os.Getenv("SCAPEFS_REQUIRE") == "" {
		r.t.Skipf("SKIPPED: this machine makes no images: %v", err)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	r.server = server
	r.t.Cleanup(func() {
		if err := server.Unmount(); err != nil {
			r.t.Error(err)
		}
		server.Wait()
		if s := server.Stats(); s.Cache.Pinned != 0 || s.OpenFiles != 0 || s.Streams != 0 {
			r.t.Errorf("left behind: %+v", s)
		}
		if strings.Contains(r.log.String(), "panic") {
			r.t.Errorf("log: %s", r.log.String())
		}
	})
}

// forPageCaches runs test for each of the places where the kernel keeps what it
// has read.
func forPageCaches(t *testing.T, test func(*testing.T, PageCache)) {
	for _, pages := range []PageCache{PageCacheEROFS, PageCacheFUSE} {
		t.Run(string(pages), func(t *testing.T) { test(t, pages) })
	}
}

// weights gives n bytes that look like bfloat16 weights.
func weights(n int, seed uint64) []byte {
	rnd := rand.New(rand.NewPCG(seed, 0))
	b := make([]byte, 0, n+2)
	for len(b) < n {
		b = binary.LittleEndian.AppendUint16(b, uint16(math.Float32bits(float32(rnd.NormFloat64()))>>16))
	}
	return b[:n]
}

// add packs data under name into the source and gives the original's path.
func (r *rig) add(name string, data []byte, opt archive.PackOptions) string {
	r.t.Helper()
	original := filepath.Join(r.folder, strings.ReplaceAll(name, "/", "_")+".original")
	if err := os.WriteFile(original, data, 0o644); err != nil {
		r.t.Fatal(err)
	}
	opt.Overwrite = true
	if _, err := archive.Pack(context.Background(), filepath.Join(r.source, name), original, opt); err != nil {
		r.t.Fatal(err)
	}
	return original
}

func (r *rig) write(name, content string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.source, name), []byte(content), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// raw is quick to pack; what the mount does with it is the same.
var raw = archive.PackOptions{Method: codec.Raw}

func TestMountShowsOriginals(t *testing.T) { forPageCaches(t, testMountShowsOriginals) }

func testMountShowsOriginals(t *testing.T, pages PageCache) {
	r := newRig(t)
	small := archive.PackOptions{Method: codec.Raw, ChunkLen: 4 << 10, BlockLen: 1 << 10}
	originals := map[string]string{
		"model.safetensors":      r.add("model.scape", weights(40<<20+5, 1), raw),
		"blob":                   r.add("blob.scapef", weights(3<<20, 2), archive.PackOptions{Method: codec.BF16Split}),
		"empty":                  r.add("empty.scapef", nil, raw),
		"one":                    r.add("one.scapef", []byte("x"), raw),
		"many-blocks":            r.add("many-blocks.scapef", weights(5<<20+3, 3), small),
		"exactly-one-chunk":      r.add("exactly-one-chunk.scapef", weights(4<<20, 4), raw),
		"exactly-four-kilobytes": r.add("exactly-four-kilobytes.scapef", weights(4<<10, 5), raw),
	}
	r.write("plain.txt", "plain")
	if err := os.Symlink("model.scape", filepath.Join(r.source, "link.scape")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(r.source, "sub.scape"), 0o755); err != nil {
		t.Fatal(err)
	}
	r.write("sub.scape/inner", "inner")
	r.mount(Options{PageCache: pages, CacheSize: MinCacheSize}) // smaller than the model

	for name, original := range originals {
		child(t, "compare", filepath.Join(r.point, name), original)
	}
	child(t, "compare", filepath.Join(r.point, "plain.txt"), filepath.Join(r.source, "plain.txt"))
	child(t, "errors", r.point)
	want := "blob empty exactly-four-kilobytes exactly-one-chunk link.scape many-blocks model.safetensors one plain.txt sub.scape "
	if got := shell(t, "ls "+r.point+" | tr '\\n' ' '"); got != want {
		t.Errorf("listed %q, want %q", got, want)
	}
	if got := shell(t, "cd "+r.point+"; readlink link.scape; cat sub.scape/inner"); got != "model.scape\ninner" {
		t.Errorf("%q", got)
	}
	if log := r.log.String(); log != "" {
		t.Errorf("logged: %s", log)
	}
}

func TestAttributes(t *testing.T) {
	r := newRig(t)
	original := r.add("model.scape", weights(1<<20+5, 1), raw)
	if err := os.Chmod(filepath.Join(r.source, "model.scape"), 0o640); err != nil {
		t.Fatal(err)
	}
	r.mount(Options{})
	stat := func(format string) string {
		return strings.TrimSpace(shell(t, fmt.Sprintf("stat -c %q %s/model.safetensors", format, r.point)))
	}
	info, err := os.Stat(original)
	if err != nil {
		t.Fatal(err)
	}
	for format, want := range map[string]string{
		"%s": fmt.Sprint(1<<20 + 5), "%b": "2049", "%o": fmt.Sprint(blockSize), "%h": "1",
		"%a": "440", // of the original, less what the archive withholds and writing
		"%y": info.ModTime().UTC().Format("2006-01-02 15:04:05.000000000 +0000"),
	} {
		if got := stat(format); got != want {
			t.Errorf("stat %s: %q, want %q", format, got, want)
		}
	}
	ino := stat("%i")
	if got := strings.Fields(shell(t, "ls -i "+r.point))[0]; got != ino {
		t.Errorf("listed with inode %s, stat says %s", got, ino)
	}
	data, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := os.Stat(filepath.Join(r.source, "model.scape"))
	if err != nil {
		t.Fatal(err)
	}
	xattrs := fmt.Sprintf("user.scapefs.archive=%s/model.scape\nuser.scapefs.codec=raw\nuser.scapefs.ratio=%.4f\n"+
		"user.scapefs.sha256=%x\nuser.scapefs.stored_size=%d\n",
		r.source, float64(len(data))/float64(stored.Size()), sha256.Sum256(data), stored.Size())
	if got := child(t, "xattrs", filepath.Join(r.point, "model.safetensors")); got != xattrs {
		t.Errorf("extended attributes:\n%swant:\n%s", got, xattrs)
	}
	if err := r.server.Unmount(); err != nil {
		t.Fatal(err)
	}
	r.mount(Options{})
	if again := stat("%i"); again != ino {
		t.Errorf("inode %s, was %s before mounting again", again, ino)
	}
}

func TestColdRandomReadDecodesOneBlock(t *testing.T) {
	r := newRig(t)
	r.add("model.scape", weights(16<<20, 1), raw)
	r.mount(Options{})
	shown := filepath.Join(r.point, "model.safetensors")
	for i, mb := range []int{9, 2, 13} {
		shell(t, fmt.Sprintf("dd if=%s of=/dev/null bs=4k count=1 iflag=direct skip=%d", shown, mb*256+7))
		s := r.server.Stats()
		if want := uint64(i+1) * 256 << 10; s.DemandBytes != want || s.AheadBytes != 0 {
			t.Errorf("after %d reads: %d bytes decoded on demand, want %d; %d ahead", i+1, s.DemandBytes, want, s.AheadBytes)
		}
	}
}

// The reader pauses until the readahead that its first reads began is done,
// however busy the machine: what is left to read is then all there.
func TestSequentialReaderIsServedFromReadahead(t *testing.T) {
	r := newRig(t)
	const size = 32 << 20
	r.add("model.scape", weights(size, 1), raw)
	r.mount(Options{Readahead: size})
	shown := filepath.Join(r.point, "model.safetensors")
	startTalk(t, "hold", shown).hear() // an open file keeps its streams
	read := "dd if=" + shown + " of=/dev/null bs=128k iflag=direct"
	shell(t, read+" count=8")
	paused := r.server.Stats()
	for wait := time.Now(); paused.DemandBytes+paused.AheadBytes < size; paused = r.server.Stats() {
		if time.Since(wait) > childTime {
			t.Fatalf("%d bytes on demand and %d ahead, want %d together", paused.DemandBytes, paused.AheadBytes, size)
		}
		time.Sleep(time.Millisecond)
	}
	if paused.DemandBytes > 1<<20 {
		t.Errorf("%d bytes decoded on demand, only the first MiB was read", paused.DemandBytes)
	}
	shell(t, read+" skip=8")
	if s := r.server.Stats(); s.DemandBytes != paused.DemandBytes || s.AheadBytes != paused.AheadBytes {
		t.Errorf("the rest decoded again: %d bytes on demand, were %d; %d ahead, were %d",
			s.DemandBytes, paused.DemandBytes, s.AheadBytes, paused.AheadBytes)
	}
}

// Readers that are killed leave nothing pinned, which the end of the test
// checks, and nothing wrong for the next one.
func TestKilledReaders(t *testing.T) { forPageCaches(t, testKilledReaders) }

func testKilledReaders(t *testing.T, pages PageCache) {
	r := newRig(t)
	original := r.add("model.scape", weights(32<<20, 1), raw)
	r.mount(Options{PageCache: pages, CacheSize: MinCacheSize})
	shown := filepath.Join(r.point, "model.safetensors")
	shell(t, "for i in 1 2 3 4 5 6 7 8; do for j in 1 2 3; do timeout -s KILL 0.0$i cat "+shown+" >/dev/null & done; "+
		"wait; echo 1 > /proc/sys/vm/drop_caches; done")
	child(t, "compare", shown, original)
	if log := r.log.String(); log != "" {
		t.Errorf("logged: %s", log)
	}
}

func TestReplacedArchiveShowsNewContentAtOnce(t *testing.T) {
	forPageCaches(t, testReplacedArchiveShowsNewContentAtOnce)
}

func testReplacedArchiveShowsNewContentAtOnce(t *testing.T, pages PageCache) {
	r := newRig(t)
	first, second := weights(8<<20, 1), weights(9<<20, 2)
	r.add("model.scape", first, raw)
	r.mount(Options{PageCache: pages})
	shown := filepath.Join(r.point, "model.safetensors")

	old := startTalk(t, "hold", shown)
	old.hear()
	if got, want := old.say("sum"), fmt.Sprintf("%x", sha256.Sum256(first)); got != want {
		t.Fatalf("first: %s, want %s", got, want)
	}
	original := r.add("model.scape", second, raw)
	child(t, "compare", shown, original)
	shell(t, "echo 1 > /proc/sys/vm/drop_caches")
	if got, want := old.say("sum"), fmt.Sprintf("%x", sha256.Sum256(first)); got != want {
		t.Errorf("a file open from before: %s, want %s", got, want)
	}
}

func TestArchiveCutInPlaceFails(t *testing.T) { forPageCaches(t, testArchiveCutInPlaceFails) }

func testArchiveCutInPlaceFails(t *testing.T, pages PageCache) {
	r := newRig(t)
	r.add("model.scape", weights(8<<20, 1), raw)
	r.mount(Options{PageCache: pages, Readahead: -1})
	shown, stored := filepath.Join(r.point, "model.safetensors"), filepath.Join(r.source, "model.scape")
	old := startTalk(t, "hold", shown)
	old.hear()
	if err := os.Truncate(stored, 4<<10); err != nil {
		t.Fatal(err)
	}
	if got := old.say("sum"); !strings.Contains(got, "input/output error") {
		t.Errorf("a file open from before: %q", got)
	}
	if got := shell(t, "cat "+shown); !strings.Contains(got, "Input/output error") {
		t.Errorf("opened after: %q", got)
	}
	if got := shell(t, "ls -l "+r.point); !strings.Contains(got, "4096") {
		t.Errorf("listed as %q", got)
	}
}

func TestDamageIsReportedOnceAndStaysWhereItIs(t *testing.T) {
	forPageCaches(t, testDamageIsReportedOnceAndStaysWhereItIs)
}

func testDamageIsReportedOnceAndStaysWhereItIs(t *testing.T, pages PageCache) {
	r := newRig(t)
	r.add("model.scape", weights(16<<20, 1), raw)
	good := r.add("good.scape", weights(4<<20, 2), raw)
	r.write("bad.scape", "this is no archive")
	r.write("void.scape", "")
	stored := filepath.Join(r.source, "model.scape")
	reader, _, err := openArchive(context.Background(), stored)
	if err != nil {
		t.Fatal(err)
	}
	row := reader.Index().Rows[2]
	reader.Close()
	flip(t, stored, row.PayloadPos()+int64(row.PayloadLen)/2)
	r.mount(Options{PageCache: pages})
	shown := filepath.Join(r.point, "model.safetensors")

	for range 3 {
		if out := shell(t, "cat "+shown+" >/dev/null"); !strings.Contains(out, "Input/output error") {
			t.Errorf("cat: %q", out)
		}
	}
	damaged := row.Off / (1 << 20)
	for mb := range int64(16) {
		out := shell(t, fmt.Sprintf("dd if=%s of=/dev/null bs=1M count=1 iflag=direct skip=%d", shown, mb))
		inside := mb >= damaged && mb < damaged+4
		if failed := strings.Contains(out, "Input/output error"); failed && !inside {
			t.Errorf("MiB %d: %s", mb, out)
		}
	}
	reads := shell(t, fmt.Sprintf("dd if=%s of=/dev/null bs=256k conv=noerror", shown))
	if n := strings.Count(reads, "Input/output error"); n < 1 || n > 4<<20/(256<<10) {
		t.Errorf("%d of 64 reads by way of the page cache fail:\n%s", n, reads)
	}
	child(t, "compare", filepath.Join(r.point, "good.safetensors"), good)
	list := shell(t, "ls -l "+r.point)
	for _, name := range []string{"bad.safetensors", "void.safetensors", "model.safetensors"} {
		if !strings.Contains(list, name) {
			t.Errorf("%s is not listed:\n%s", name, list)
		}
	}
	if out := shell(t, "cat "+r.point+"/bad.safetensors"); !strings.Contains(out, "Input/output error") {
		t.Errorf("bad: %q", out)
	}
	log := r.log.String()
	if n := strings.Count(log, "chunk=2"); n != 1 {
		t.Errorf("chunk 2 logged %d times:\n%s", n, log)
	}
	if n := strings.Count(log, "bad.scape"); n == 0 {
		t.Errorf("bad.scape is not logged:\n%s", log)
	}
}

func flip(t *testing.T, path string, off int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b [1]byte
	if _, err := f.ReadAt(b[:], off); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 0x10
	if _, err := f.WriteAt(b[:], off); err != nil {
		t.Fatal(err)
	}
}

func TestPlainFileWinsWithAWarning(t *testing.T) {
	r := newRig(t)
	r.add("model.scape", weights(1<<20, 1), raw)
	r.write("model.safetensors", "plain")
	r.mount(Options{})
	for range 2 {
		shell(t, "ls "+r.point)
	}
	if got := shell(t, "cat "+r.point+"/model.safetensors"); got != "plain" {
		t.Errorf("%q", got)
	}
	if n := strings.Count(r.log.String(), "model.scape"); n != 1 {
		t.Errorf("warned %d times: %s", n, r.log.String())
	}
}

func TestUnmountWhileInUse(t *testing.T) { forPageCaches(t, testUnmountWhileInUse) }

func testUnmountWhileInUse(t *testing.T, pages PageCache) {
	r := newRig(t)
	data := weights(4<<20, 1)
	r.add("model.scape", data, raw)
	r.mount(Options{PageCache: pages})
	reader := startTalk(t, "hold", filepath.Join(r.point, "model.safetensors"))
	reader.hear()
	if err := r.server.Unmount(); err != nil {
		t.Fatal(err)
	}
	if info, err := mountAt(r.point); err != nil || info != nil {
		t.Errorf("still mounted: %v, %v", info, err)
	}
	if got, want := reader.say("sum"), fmt.Sprintf("%x", sha256.Sum256(data)); got != want {
		t.Errorf("a reader from before: %s, want %s", got, want)
	}
	reader.end()
	ended := make(chan struct{})
	go func() { r.server.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(childTime):
		t.Error("the mount does not end with its last reader")
	}
}

func TestStaleMountIsCleared(t *testing.T) {
	r := newRig(t)
	original := r.add("model.scape", weights(1<<20, 1), raw)
	daemon := startTalk(t, "serve", r.source, r.point)
	if got := daemon.hear(); got != "mounted" {
		t.Fatal(got)
	}
	if _, err := Mount(r.point, Options{Source: r.source}); !errors.Is(err, ErrMounted) {
		t.Errorf("mounted twice: %v", err)
	}
	daemon.cmd.Process.Kill()
	daemon.end()
	if got := shell(t, "ls "+r.point); !strings.Contains(got, "not connected") {
		t.Errorf("after a kill: %q", got)
	}
	r.mount(Options{})
	child(t, "compare", filepath.Join(r.point, "model.safetensors"), original)
	if err := CleanStale(r.point); err != nil {
		t.Errorf("a mount that lives: %v", err)
	}
	if info, err := mountAt(r.point); err != nil || info == nil {
		t.Errorf("a mount that lives was cleared away: %v", err)
	}
}

func TestUnmountFromOutside(t *testing.T) {
	r := newRig(t)
	r.add("model.scape", weights(1<<20, 1), raw)
	if err := Unmount(r.point); !errors.Is(err, ErrNotMounted) {
		t.Errorf("nothing is mounted: %v", err)
	}
	r.mount(Options{})
	if err := Unmount(r.point); err != nil {
		t.Fatal(err)
	}
	r.server.Wait()
	r.mount(Options{})
	reader := startTalk(t, "hold", filepath.Join(r.point, "model.safetensors"))
	reader.hear()
	if err := Unmount(r.point); err != nil {
		t.Errorf("in use: %v", err)
	}
	if info, err := mountAt(r.point); err != nil || info != nil {
		t.Errorf("still mounted: %v, %v", info, err)
	}
	reader.end()
	r.server.Wait()

	daemon := startTalk(t, "serve", r.source, r.point)
	daemon.hear()
	daemon.cmd.Process.Kill()
	daemon.end()
	if err := Unmount(r.point); err != nil {
		t.Errorf("dead: %v", err)
	}
}

func TestMountRefuses(t *testing.T) {
	r := newRig(t)
	if err := os.Mkdir(filepath.Join(r.source, "inside"), 0o755); err != nil {
		t.Fatal(err)
	}
	r.write("file", "")
	for name, tt := range map[string]struct{ point, source string }{
		"mountpoint in the source": {filepath.Join(r.source, "inside"), r.source},
		"source in the mountpoint": {r.source, filepath.Join(r.source, "inside")},
		"the source itself":        {r.source, r.source},
		"no mountpoint":            {filepath.Join(r.folder, "nothing"), r.source},
		"no source":                {r.point, filepath.Join(r.folder, "nothing")},
		"source is a file":         {r.point, filepath.Join(r.source, "file")},
	} {
		m, err := Mount(tt.point, Options{Source: tt.source})
		if err == nil {
			t.Errorf("%s: mounted", name)
			m.Unmount()
		}
	}
	if _, err := Mount(r.point, Options{Source: r.source, CacheSize: MinCacheSize - 1}); err == nil {
		t.Error("mounted with too small a cache")
	}
}
