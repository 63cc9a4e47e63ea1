package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/scapefs/scapefs/fs"
	"github.com/scapefs/scapefs/internal/cgroup"
	"github.com/scapefs/scapefs/internal/proc"
)

// The tests of this file are named after what users of other mounts complained
// of. None measures time: they look at what the mount says that it did.

// complained is a mount of one model, and the model's bytes.
type complained struct {
	point, path string
	want        []byte
}

// complaintSize is how large the model is about which they complain.
const complaintSize = 64 << 20

// complaintArchive packs that model once for all of them.
var complaintArchive struct {
	sync.Once
	archive, model []byte
}

func complain(t *testing.T, options ...string) complained {
	t.Helper()
	needFUSE(t)
	packed := t.TempDir()
	path := filepath.Join(packed, "m.scape")
	a := &complaintArchive
	a.Do(func() {
		a.model = tiledModel(t, complaintSize)
		plain := filepath.Join(t.TempDir(), "m.safetensors")
		write(t, plain, a.model)
		must(t, "pack", "--level", "fast", "-o", path, plain)
		var err error
		if a.archive, err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	})
	if a.archive == nil {
		t.Fatal("the model could not be packed")
	}
	write(t, path, a.archive)
	c := complained{want: a.model, point: mount(t, packed, options...)}
	c.path = filepath.Join(c.point, "m.safetensors")
	return c
}

func status(t *testing.T, point string) (s fs.Status) {
	t.Helper()
	if err := json.Unmarshal([]byte(must(t, "status", "--json", point).stdout), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func decoded(s fs.Status) int64 { return int64(s.DemandBytes + s.AheadBytes) }

// mapFile maps a file until the test ends.
func mapFile(t *testing.T, path string) []byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	m, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Munmap(m); err != nil {
			t.Error(err)
		}
	})
	return m
}

// "Mapped weights load 30 to 50 times slower over the mount, unless they are
// read by cat first": a mapped file comes in large requests, each byte is decoded
// once, and after a warmup not at all.
func TestComplaintMappedWeightsAreSlow(t *testing.T) {
	c := complain(t, "--cache-size", "256MiB")
	if !bytes.Equal(mapFile(t, c.path), c.want) {
		t.Error("mapped bytes differ")
	}
	s := status(t, c.point)
	t.Logf("%d READs of %d bytes; %d decoded as they waited, %d ahead", s.Reads, s.ReadBytes, s.DemandBytes, s.AheadBytes)
	if s.Reads > uint64(len(c.want)/(32<<10)) { // by pages of 4 KiB it would be eight times that
		t.Errorf("%d READs: pages of the mapping came in requests of %d bytes", s.Reads, s.ReadBytes/max(s.Reads, 1))
	}
	if decoded(s) > int64(len(c.want)) {
		t.Errorf("%d bytes were decoded of %d", decoded(s), len(c.want))
	}
}

// The cure that is spread as "cat file >/dev/null" has a name here.
func TestComplaintOnlyCatHelps(t *testing.T) {
	c := complain(t, "--cache-size", "256MiB")
	m := mapFile(t, c.path) // it holds the inode, and what is cached of it
	// Somebody else may make the system forget its page cache meanwhile.
	eventually(t, "a mapping that needs no READ after a warmup", func() error {
		must(t, "warmup", c.path)
		before := status(t, c.point)
		if !bytes.Equal(m, c.want) {
			t.Fatal("mapped bytes differ")
		}
		if after := status(t, c.point); after.Reads != before.Reads {
			return fmt.Errorf("%d READs", after.Reads-before.Reads)
		}
		return nil
	})
	if n := decoded(status(t, c.point)); n > int64(len(c.want)) {
		t.Errorf("%d bytes were decoded of %d", n, len(c.want))
	}
}

// "Parallel page faults hang the loader, eight threads are slower than one":
// 32 threads fault a cold file that is larger than the cache, get every byte, and
// next to nothing is decoded in vain.
func TestComplaintParallelFaultsCollapse(t *testing.T) {
	c := complain(t, "--cache-size", "48MiB")
	m := mapFile(t, c.path)
	const threads, piece = 32, 2 << 20
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads + 4)) // a fault holds a processor of Go's
	queue := make(chan int, len(m)/piece+1)
	for off := 0; off < len(m); off += piece {
		queue <- off
	}
	close(queue)
	var group sync.WaitGroup
	for range threads {
		group.Go(func() {
			for off := range queue {
				end := min(off+piece, len(m))
				if !bytes.Equal(m[off:end], c.want[off:end]) {
					t.Errorf("bytes from %d on differ", off)
				}
			}
		})
	}
	group.Wait()
	s := status(t, c.point)
	t.Logf("%d READs; of %d bytes %d were decoded, %d of them ahead", s.Reads, len(m), decoded(s), s.AheadBytes)
	if decoded(s) > int64(len(m))*3/2 {
		t.Errorf("%d bytes were decoded of %d: what is decoded is thrown away before it is read", decoded(s), len(m))
	}
}

// "One reader gets a fifth of what sixteen get": for a single reader, most is
// decoded by others than who answers it.
func TestComplaintOneReaderUsesOneCore(t *testing.T) {
	c := complain(t, "--cache-size", "256MiB")
	// Workers may get no processor while the machine has other things to do.
	eventually(t, "a reader that others decode for", func() error {
		before := status(t, c.point)
		if err := sameFile(c.path, c.want); err != nil {
			t.Fatal(err)
		}
		s := status(t, c.point)
		ahead, demand := s.AheadBytes-before.AheadBytes, s.DemandBytes-before.DemandBytes
		t.Logf("%d bytes decoded as READs waited, %d ahead of them", demand, ahead)
		if ahead > demand {
			return nil
		}
		must(t, "umount", c.point)
		must(t, "mount", "--cache-size", "256MiB", s.Source, c.point)
		return fmt.Errorf("%d bytes decoded ahead, %d as READs waited", ahead, demand)
	})
}

// "The cache and the prefetch grew until the OOM killer came": a container of
// 256 MiB holds the mount and 32 readers of more than that.
func TestComplaintMemoryGrowsUntilKilled(t *testing.T) {
	needFUSE(t)
	const limit, size, readers = 256 << 20, 640 << 20, 32
	group, err := cgroup.New(cgroup.Limits{Memory: limit})
	if err != nil {
		missing(t, err.Error())
	}
	defer group.Close()
	packed, plain := t.TempDir(), filepath.Join(t.TempDir(), "m.safetensors")
	write(t, plain, tiledModel(t, size))
	must(t, "pack", "--level", "fast", "-o", packed+"/", plain)
	point := mountPoint(t)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	if out, err := group.Command(ctx, program, "mount", packed, point).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v: %s", err, out)
	}
	defer must(t, "umount", point)
	before := status(t, point)
	if before.CacheLimit != limit/4 {
		t.Errorf("the cache may take %d bytes, a quarter of the group's limit is %d", before.CacheLimit, limit/4)
	}
	var wait sync.WaitGroup
	for i := range readers {
		wait.Go(func() {
			at := fmt.Sprint(i * (size / readers))
			out, err := group.Command(ctx, "cmp", "-n", fmt.Sprint(size/readers), "-i", at,
				plain, filepath.Join(point, "m.safetensors")).CombinedOutput()
			if err != nil {
				t.Errorf("reader from %s on: %v: %s", at, err, out)
			}
		})
	}
	wait.Wait()
	after := status(t, point)
	used, err := proc.Of(after.PID)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("cache of %d MiB, peak of the mount %d MiB", after.CacheLimit>>20, used.Peak>>20)
	if after.PID != before.PID || used.Peak > after.CacheLimit+beyondCache {
		t.Errorf("process %d, then %d; it took %d bytes", before.PID, after.PID, used.Peak)
	}
	if kills, err := group.OOMKills(); err != nil || kills != 0 {
		t.Errorf("the kernel killed %d processes: %v", kills, err)
	}
}

// "After a crash the mount is dead, and can't be mounted again": the next mount
// clears it away, though readers still hold files of the dead one.
func TestComplaintDeadMountStays(t *testing.T) {
	c := complain(t)
	held, err := os.Open(c.path)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	s := status(t, c.point)
	if err := unix.Kill(s.PID, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a dead mount", func() error {
		var st unix.Statfs_t
		if err := unix.Statfs(c.point, &st); !errors.Is(err, unix.ENOTCONN) {
			return fmt.Errorf("statfs: %v", err)
		}
		return nil
	})
	must(t, "mount", s.Source, c.point)
	if err := sameFile(c.path, c.want); err != nil {
		t.Error(err)
	}
	b, _ := os.ReadFile("/proc/self/mounts")
	if n := strings.Count(string(b), " "+c.point+" "); n != 1 {
		t.Errorf("%d mounts stand on one another", n)
	}
}

// "allow_other fails in a container, and nothing says why": who may not use it
// is told the line that is missing, and where.
func TestComplaintAllowOtherFails(t *testing.T) {
	needFUSE(t)
	if conf, err := os.ReadFile("/etc/fuse.conf"); err == nil {
		for line := range strings.Lines(string(conf)) {
			if strings.TrimSpace(line) == "user_allow_other" {
				missing(t, "an /etc/fuse.conf without user_allow_other")
			}
		}
	}
	packed, point := t.TempDir(), mountPoint(t)
	cmd := exec.Command(program, "mount", "--allow-other", packed, point)
	if os.Getuid() == 0 {
		own := filepath.Join(t.TempDir(), "scapefs")
		copyFile(t, own, program)
		for _, path := range []string{own, filepath.Dir(own), filepath.Dir(filepath.Dir(own))} {
			if err := os.Chmod(path, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		cmd = exec.Command(own, cmd.Args[1:]...)
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out, err := cmd.CombinedOutput()
	if err == nil || cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("exit %d", cmd.ProcessState.ExitCode())
	}
	for _, word := range []string{"user_allow_other", "/etc/fuse.conf"} {
		if !strings.Contains(string(out), word) {
			t.Errorf("no word of %s: %s", word, out)
		}
	}
}

// "Mounts from fstab hang the boot, or are not there when the command returns":
// it returns, with all its pipes closed, once the mount answers, or fails.
func TestComplaintMountReturnsTooEarlyOrNever(t *testing.T) {
	packed := t.TempDir()
	must(t, "pack", "-o", packed+"/", small(t))
	for range 3 {
		point := mountPoint(t)
		must(t, "mount", "-o", "ro,_netdev,nofail,x-systemd.automount", packed, point) // waits for the ends of its pipes
		names, err := os.ReadDir(point)
		if err != nil || len(names) != 1 {
			t.Errorf("when mount returned: %v, %v", names, err)
		}
		must(t, "umount", point)
	}
	if r := scapefs(t, "mount", packed, filepath.Join(packed, "none")); r.code != 1 {
		t.Errorf("a mount that cannot be: exit %d", r.code)
	}
}

// "Configured 4 GB, used 40 MB, and nothing tells what limits it": status tells
// the limit that holds, and what readers wait for.
func TestComplaintNothingTellsWhatLimits(t *testing.T) {
	c := complain(t, "--cache-size", "32MiB", "--jobs", "1")
	if s := status(t, c.point); s.CacheLimit != 32<<20 || s.Jobs != 1 {
		t.Errorf("cache limit %d, %d jobs", s.CacheLimit, s.Jobs)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() {
		for ctx.Err() == nil {
			if err := readCold(c.path); err != nil {
				t.Error(err)
				return
			}
		}
	})
	defer group.Wait()
	defer cancel()
	deadline := time.Now().Add(time.Minute)
	for {
		s := status(t, c.point)
		if s.CacheUsed > s.CacheLimit {
			t.Errorf("the cache holds %d bytes of %d", s.CacheUsed, s.CacheLimit)
		}
		if len(s.Limits) > 0 {
			t.Logf("limited by %q", s.Limits)
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a mount that decodes all the time says of nothing that it limits")
		}
	}
	if out := must(t, "status", c.point).stdout; !strings.Contains(out, "32 MiB") {
		t.Errorf("status has no word of the cache's limit: %s", out)
	}
}

// readCold reads a file that the page cache is made to forget.
func readCold(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := fs.Evict(f); err != nil {
		return err
	}
	_, err = hash(f)
	return err
}

// "Listing a folder takes minutes": a listing of 1,000 archives opens none.
func TestComplaintListingOpensEveryFile(t *testing.T) {
	needFUSE(t)
	const archives = 1000
	packed := t.TempDir()
	one := filepath.Join(t.TempDir(), "m.scape")
	must(t, "pack", "-o", one, small(t))
	for i := range archives {
		if err := os.Link(one, filepath.Join(packed, fmt.Sprintf("m%04d.scape", i))); err != nil {
			copyFile(t, filepath.Join(packed, fmt.Sprintf("m%04d.scape", i)), one)
		}
	}
	point := mount(t, packed)
	names, err := os.ReadDir(point)
	if err != nil || len(names) != archives || names[0].Name() != "m0000.safetensors" || !names[0].Type().IsRegular() {
		t.Fatalf("%d names, %v", len(names), err)
	}
	if n := status(t, point).Opens; n != 0 {
		t.Errorf("%d archives were opened", n)
	}
	if _, err := os.Stat(filepath.Join(point, names[7].Name())); err != nil {
		t.Fatal(err)
	}
	if n := status(t, point).Opens; n != 1 {
		t.Errorf("%d archives were opened to look at one", n)
	}
}

// Loaders choose how to read by what /proc/mounts says: the type names us, the
// device is the source, and no network file system is feigned.
func TestComplaintLoadersTakeItForAnother(t *testing.T) {
	packed := t.TempDir()
	must(t, "pack", "-o", packed+"/", small(t))
	point := mount(t, packed)
	b, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 3 && f[1] == point {
			if f[0] != packed || f[2] != "fuse.scapefs" || !strings.HasPrefix(f[3], "ro,") {
				t.Errorf("mounted as %q", line)
			}
			return
		}
	}
	t.Error("the mount does not stand in /proc/mounts")
}
