package fs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// gate lets everybody pass, or nobody; or those who pass get wrong bytes; or those who
// open files with O_DIRECT cannot, or cannot read them.
type gate struct {
	mu          sync.RWMutex
	garbles     atomic.Bool
	failsDirect atomic.Bool
	failsReads  atomic.Bool // of what was opened so
}

func (g *gate) pass() {
	g.mu.RLock()
	defer g.mu.RUnlock()
}

// hangNode shows a folder of files like a disk that stops answering when its
// gate is closed.
type hangNode struct {
	fusefs.Inode
	gate *gate
	path string
}

func (n *hangNode) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fusefs.Inode, syscall.Errno) {
	n.gate.pass()
	path := filepath.Join(n.path, name)
	st, err := lstat(path)
	if err != nil {
		return nil, fusefs.ToErrno(err)
	}
	out.FromStat(st)
	return n.NewInode(ctx, &hangNode{gate: n.gate, path: path}, fusefs.StableAttr{Mode: st.Mode, Ino: st.Ino}), 0
}

func (n *hangNode) Getattr(_ context.Context, _ fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	n.gate.pass()
	st, err := lstat(n.path)
	if err != nil {
		return fusefs.ToErrno(err)
	}
	out.FromStat(st)
	return 0
}

// hangHandle is an open file.
type hangHandle struct{ direct bool }

func (n *hangNode) Open(_ context.Context, flags uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	n.gate.pass()
	direct := flags&syscall.O_DIRECT != 0
	if direct && n.gate.failsDirect.Load() {
		return nil, 0, syscall.EINVAL
	}
	return hangHandle{direct}, fuse.FOPEN_DIRECT_IO, 0
}

func (n *hangNode) Read(_ context.Context, h fusefs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	n.gate.pass()
	if h.(hangHandle).direct && n.gate.failsReads.Load() {
		return nil, syscall.EINVAL
	}
	f, err := os.Open(n.path)
	if err != nil {
		return nil, fusefs.ToErrno(err)
	}
	defer f.Close()
	k, _ := f.ReadAt(dest, off)
	if n.gate.garbles.Load() {
		clear(dest)
	}
	return fuse.ReadResultData(dest[:k]), 0
}

// serveHanging shows folder at point until it is told nothing more. It can be
// told to "hang", to "garble" what is read, to fail "direct" or the "reads" of what was
// opened so, and to "answer" again.
func serveHanging(folder, point string) error {
	g := new(gate)
	_, err := fusefs.Mount(point, &hangNode{gate: g, path: folder}, &fusefs.Options{
		MountOptions: fuse.MountOptions{DirectMount: true, FsName: "hanging"},
	})
	if err != nil {
		return err
	}
	fmt.Println("mounted")
	hangs := false
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); fmt.Println("done") {
		switch lines.Text() {
		case "hang":
			hangs = true
			g.mu.Lock()
		case "garble":
			g.garbles.Store(true)
		case "direct":
			g.failsDirect.Store(true)
		case "reads":
			g.failsReads.Store(true)
		case "answer":
			g.garbles.Store(false)
			if hangs {
				g.mu.Unlock()
			}
			hangs = false
		}
	}
	if hangs {
		g.mu.Unlock()
	}
	return unix.Unmount(point, unix.MNT_DETACH)
}

// readInCrowd reads a file at as many places at once as the kernel's readahead
// has requests for, once it is told to.
func readInCrowd(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	fmt.Println("open")
	lines := bufio.NewScanner(os.Stdin)
	lines.Scan()
	var crowd sync.WaitGroup
	for i := range maxBackground {
		crowd.Go(func() { _, _ = f.ReadAt(make([]byte, 1<<20), int64(i)<<21) })
	}
	fmt.Println("reading")
	crowd.Wait()
	return nil
}

// hangingDisk has a disk in the source's folder "disk" that shows the folder
// which is returned, and that can be told to hang.
func (r *rig) hangingDisk() (folder string, disk *talk) {
	r.t.Helper()
	folder = filepath.Join(r.folder, "disk")
	point := filepath.Join(r.source, "disk")
	for _, dir := range []string{folder, point} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			r.t.Fatal(err)
		}
	}
	r.t.Cleanup(func() { // the process is killed when the test fails
		if info, err := mountAt(point); err == nil && info != nil {
			_ = unix.Unmount(point, unix.MNT_DETACH)
		}
	})
	disk = startTalk(r.t, "hanging", folder, point)
	if got := disk.hear(); got != "mounted" {
		r.t.Fatal(got)
	}
	return folder, disk
}

// start runs a script that may be left to wait; it is killed in the end.
func (r *rig) start(script string) (cmd *exec.Cmd, ended <-chan struct{}) {
	r.t.Helper()
	cmd = exec.Command("sh", "-c", "exec "+script)
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	r.t.Cleanup(func() { _ = cmd.Process.Kill(); <-done })
	return cmd, done
}

func waitEnd(t *testing.T, what string, ended <-chan struct{}) {
	t.Helper()
	select {
	case <-ended:
	case <-time.After(childTime):
		t.Errorf("%s cannot leave", what)
	}
}

// A disk that hangs holds up its own readers, who can leave, and nobody else.
func TestDiskThatHangs(t *testing.T) { forPageCaches(t, testDiskThatHangs) }

func testDiskThatHangs(t *testing.T, pages PageCache) {
	r := newRig(t)
	good := r.add("good.scape", weights(8<<20, 1), raw)
	folder, disk := r.hangingDisk()
	original := r.add("model.scape", weights(48<<20, 2), raw)
	for _, name := range []string{"model.scape", "other.scape"} {
		copyFile(t, filepath.Join(folder, name), filepath.Join(r.source, "model.scape"))
	}
	if err := os.WriteFile(filepath.Join(folder, "plain"), []byte("plain"), 0o644); err != nil {
		t.Fatal(err)
	}
	r.mount(Options{PageCache: pages, CacheSize: MinCacheSize, Jobs: 2})
	for _, crowd := range []*crowd{r.server.fs.crowd, r.server.fs.imageCrowd} {
		crowd.patience.Store(int64(100 * time.Millisecond))
	}
	hung := filepath.Join(r.point, "disk", "model.safetensors")
	crowd := startTalk(t, "crowd", hung)
	crowd.hear()
	disk.say("hang")
	crowd.say("read")

	// As many readers as the kernel's readahead has requests for, and those
	// who only look.
	var readers []*exec.Cmd
	var ends []<-chan struct{}
	start := func(script string) {
		cmd, ended := r.start(script)
		readers, ends = append(readers, cmd), append(ends, ended)
	}
	start("cat " + hung)
	start("cat " + filepath.Join(r.point, "disk", "other.safetensors"))
	start("cat " + filepath.Join(r.point, "disk", "plain"))
	start("ls " + filepath.Join(r.point, "disk"))
	start("stat -f " + hung)
	eventually(t, "reads wait for the disk", func() bool {
		return r.server.Status().LateReads > 0
	})
	if told := child(t, "status", r.point); !strings.HasPrefix(told, r.source) {
		t.Errorf("status: %q", told)
	}
	child(t, "compare", filepath.Join(r.point, "good.safetensors"), good)
	if list := shell(t, "ls "+r.point); !strings.Contains(list, "good.safetensors") {
		t.Errorf("listed: %q", list)
	}
	ended := make(chan struct{})
	go func() { crowd.cmd.Process.Kill(); crowd.end(); close(ended) }()
	waitEnd(t, "who reads", ended)
	for i, cmd := range readers {
		_ = cmd.Process.Kill() // it may have ended
		waitEnd(t, strings.Join(cmd.Args, " "), ends[i])
	}

	disk.say("answer")
	child(t, "compare", hung, original)
	if got := shell(t, "cat "+filepath.Join(r.point, "disk", "plain")); got != "plain" {
		t.Errorf("%q", got)
	}
	eventually(t, "nothing waits any more", func() bool {
		s := r.server.Status()
		return s.LateReads == 0 && s.WaitingReads == 0 && s.CachePinned == 0
	})
	if err := r.server.Unmount(); err != nil {
		t.Error(err)
	}
}

// A disk that gave wrong bytes, or an archive that could not be opened, is not
// held to be damaged for good.
func TestDiskThatRecovers(t *testing.T) { forPageCaches(t, testDiskThatRecovers) }

func testDiskThatRecovers(t *testing.T, pages PageCache) {
	r := newRig(t)
	folder, disk := r.hangingDisk()
	original := r.add("model.scape", weights(1<<20, 2), raw)
	for _, name := range []string{"model.scape", "other.scape"} {
		copyFile(t, filepath.Join(folder, name), filepath.Join(r.source, "model.scape"))
	}
	r.mount(Options{PageCache: pages, Readahead: -1})
	shown := filepath.Join(r.point, "disk", "model.safetensors")
	other := filepath.Join(r.point, "disk", "other.safetensors")
	reader := startTalk(t, "hold", shown)
	reader.hear()
	disk.say("garble")
	for range 2 {
		if got := reader.say("sum"); !strings.Contains(got, "input/output error") {
			t.Errorf("a file that is open: %q", got)
		}
		if got := shell(t, "cat "+other); !strings.Contains(got, "Input/output error") {
			t.Errorf("a file that is opened: %q", got)
		}
	}
	disk.say("answer")
	eventually(t, "the open file can be read again", func() bool {
		return !strings.Contains(reader.say("sum"), "error")
	})
	eventually(t, "the other can be opened again", func() bool {
		return shell(t, "cat "+other+" >/dev/null") == ""
	})
	child(t, "compare", shown, original)
	child(t, "compare", other, original)
	if n := strings.Count(r.log.String(), "file="+filepath.Join(r.source, "disk", "other.scape")); n != 1 {
		t.Errorf("logged %d times:\n%s", n, r.log.String())
	}
}

func TestSeekAndSync(t *testing.T) {
	r := newRig(t)
	r.add("model.scape", weights(1<<20+5, 1), raw)
	r.write("plain.txt", "plain")
	r.mount(Options{})
	child(t, "seek", filepath.Join(r.point, "model.safetensors"))
	child(t, "seek", filepath.Join(r.point, "plain.txt"))
	for _, name := range []string{"", "model.safetensors", "plain.txt"} {
		format := " -f -c '%b %s %c' "
		want := shell(t, "stat"+format+r.source)
		if strings.HasPrefix(want, "0 ") {
			t.Errorf("the source's file system has %s", want)
		}
		// A machine that is too busy to answer in time is told zeros.
		eventually(t, fmt.Sprintf("statfs of %q is %s", name, want), func() bool {
			return shell(t, "stat"+format+filepath.Join(r.point, name)) == want
		})
	}
}

// seekAndSync checks what can be done with an open file beside reading it.
func seekAndSync(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	for _, tt := range []struct {
		off    int64
		whence int
		want   int64
		err    error
	}{
		{0, unix.SEEK_DATA, 0, nil},
		{0, unix.SEEK_HOLE, info.Size(), nil},
		{info.Size() - 1, unix.SEEK_DATA, info.Size() - 1, nil},
		{info.Size() - 1, unix.SEEK_HOLE, info.Size(), nil},
		{info.Size(), unix.SEEK_DATA, 0, unix.ENXIO},
		{info.Size(), unix.SEEK_HOLE, 0, unix.ENXIO},
		{-2, unix.SEEK_END, info.Size() - 2, nil},
	} {
		got, err := f.Seek(tt.off, tt.whence)
		if !errors.Is(err, tt.err) || err == nil && got != tt.want {
			return fmt.Errorf("seek to %d, whence %d: %d, %v", tt.off, tt.whence, got, err)
		}
	}
	if err := f.Sync(); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}

func copyFile(t *testing.T, to, from string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
