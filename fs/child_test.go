package fs

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// A process must not use a mount that it serves: it may wait for itself. So
// tests look at their mounts from a child, which is this program again.
const childEnv = "SCAPEFS_FS_TEST_CHILD"

// childTime bounds a child, so that one that hangs ends the test that started
// it. A busy machine does not get near it.
const childTime = 4 * time.Minute

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		if err := runChild(os.Args[1:]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func runChild(args []string) error {
	switch args[0] {
	case "compare":
		return compare(args[1], args[2])
	case "hold":
		return hold(args[1])
	case "hold-mapped":
		return holdMapped(args[1])
	case "evict":
		return advise(args[1], Evict)
	case "readahead":
		return advise(args[1], readahead)
	case "serve":
		m, err := Mount(args[2], Options{Source: args[1]})
		if err == nil {
			fmt.Println("mounted")
			m.Wait()
		}
		return err
	case "xattrs":
		return printXattrs(args[1])
	case "hanging":
		return serveHanging(args[1], args[2])
	case "crowd":
		return readInCrowd(args[1])
	case "seek":
		return seekAndSync(args[1])
	case "status":
		s, err := ReadStatus(args[1])
		if err == nil {
			fmt.Println(s.Source)
		}
		return err
	case "status-as-nobody":
		if err := syscall.Setuid(65534); err != nil {
			return err
		}
		_, err := ReadStatus(args[1])
		fmt.Println(err)
		return nil
	case "errors":
		return probeErrors(args[1])
	}
	return fmt.Errorf("child cannot %q", args)
}

func childCommand(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), childEnv+"=1")
	return cmd
}

// child runs a child to its end, and gives what it prints.
func child(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), childTime)
	defer cancel()
	out, err := childCommand(ctx, args...).CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// shell runs a script that looks at a mount, and gives what it prints.
func shell(t *testing.T, script string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), childTime)
	defer cancel()
	out, _ := exec.CommandContext(ctx, "sh", "-c", script).CombinedOutput()
	return string(out)
}

// talk is a child that answers each line it is told with one.
type talk struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func startTalk(t *testing.T, args ...string) *talk {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), childTime)
	cmd := childCommand(ctx, args...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &talk{t, cmd, in, bufio.NewScanner(out)}
	t.Cleanup(func() { c.end(); cancel() })
	return c
}

func (c *talk) hear() string {
	c.t.Helper()
	if !c.out.Scan() {
		c.t.Fatal("child said nothing")
	}
	return c.out.Text()
}

func (c *talk) say(line string) string {
	c.t.Helper()
	fmt.Fprintln(c.in, line)
	return c.hear()
}

func (c *talk) end() {
	c.in.Close()
	c.cmd.Wait()
}

// hold opens a file and gives its SHA-256 each time it is asked to.
func hold(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	fmt.Println("open")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		h := sha256.New()
		if _, err := io.Copy(h, io.NewSectionReader(f, 0, 1<<40)); err != nil {
			fmt.Println(errors.Unwrap(err))
			continue
		}
		fmt.Printf("%x\n", h.Sum(nil))
	}
	return nil
}

// compare reads shown in every way and checks that it has the bytes of
// original.
func compare(shown, original string) error {
	want, err := os.ReadFile(original)
	if err != nil {
		return err
	}
	f, err := os.Open(shown)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, way := range []func(*os.File, []byte) error{comparePreads, compareMapped, compareRead, compareDirect} {
		if err := way(f, want); err != nil {
			return err
		}
		if err := Evict(f); err != nil {
			return err
		}
	}
	return nil
}

func comparePreads(f *os.File, want []byte) error {
	var group sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		group.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(i), 1))
			for range 50 {
				off, n := rnd.Int64N(int64(len(want))+2), rnd.Int64N(300<<10)
				got := make([]byte, n)
				k, err := f.ReadAt(got, off)
				if err != nil && err != io.EOF {
					errs[i] = err
					return
				}
				lo, hi := min(off, int64(len(want))), min(off+n, int64(len(want)))
				if !bytes.Equal(got[:k], want[lo:hi]) {
					errs[i] = fmt.Errorf("pread of %d bytes at %d: %d bytes, or wrong ones", n, off, k)
					return
				}
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

func compareMapped(f *os.File, want []byte) error {
	if len(want) == 0 {
		return nil
	}
	got, err := unix.Mmap(int(f.Fd()), 0, len(want), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("mmap: %w", err)
	}
	defer unix.Munmap(got)
	if !bytes.Equal(got, want) {
		return errors.New("mapped bytes differ")
	}
	return nil
}

func compareRead(f *os.File, want []byte) error {
	got, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<40))
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("read %d bytes, want %d, or they differ", len(got), len(want))
	}
	return nil
}

// compareDirect reads past the page cache, as some loaders do.
func compareDirect(f *os.File, want []byte) error {
	fd, err := unix.Open(f.Name(), unix.O_RDONLY|unix.O_DIRECT, 0)
	if err != nil {
		return fmt.Errorf("open with O_DIRECT: %w", err)
	}
	defer unix.Close(fd)
	buf, err := unix.Mmap(-1, 0, 2<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return err
	}
	defer unix.Munmap(buf)
	for off := 0; ; {
		n, err := unix.Pread(fd, buf, int64(off))
		if err != nil {
			return fmt.Errorf("direct read at %d: %w", off, err)
		}
		if n == 0 && off == len(want) {
			return nil
		}
		if n == 0 || off+n > len(want) || !bytes.Equal(buf[:n], want[off:off+n]) {
			return fmt.Errorf("direct read at %d: %d bytes, or wrong ones", off, n)
		}
		off += n
	}
}

// probeErrors tries to change the folder dir, and to find what is not there.
func probeErrors(dir string) error {
	open := func(name string, flags int) error {
		f, err := os.OpenFile(dir+"/"+name, flags, 0o644)
		if err == nil {
			f.Close()
		}
		return err
	}
	for name, tt := range map[string]struct{ got, want error }{
		"open for writing":      {open("model.safetensors", os.O_RDWR), syscall.EROFS},
		"truncate":              {os.Truncate(dir+"/model.safetensors", 0), syscall.EROFS},
		"create":                {open("new", os.O_CREATE|os.O_WRONLY), syscall.EROFS},
		"remove":                {os.Remove(dir + "/plain.txt"), syscall.EROFS},
		"rename":                {os.Rename(dir+"/plain.txt", dir+"/other"), syscall.EROFS},
		"mkdir":                 {os.Mkdir(dir+"/new", 0o755), syscall.EROFS},
		"symlink":               {os.Symlink("x", dir+"/new"), syscall.EROFS},
		"chmod":                 {os.Chmod(dir+"/plain.txt", 0o777), syscall.EROFS},
		"setxattr":              {unix.Setxattr(dir+"/model.safetensors", "user.x", nil, 0), syscall.EROFS},
		"the archive's name":    {open("model.scape", os.O_RDONLY), syscall.ENOENT},
		"a name that is not":    {open("nothing", os.O_RDONLY), syscall.ENOENT},
		"a name below a file":   {open("plain.txt/x", os.O_RDONLY), syscall.ENOTDIR},
		"an archive's own file": {open("blob.scapef", os.O_RDONLY), syscall.ENOENT},
	} {
		if !errors.Is(tt.got, tt.want) {
			return fmt.Errorf("%s: %v, want %v", name, tt.got, tt.want)
		}
	}
	return nil
}

func printXattrs(path string) error {
	list := make([]byte, 4<<10)
	n, err := unix.Listxattr(path, list)
	if err != nil {
		return err
	}
	for _, name := range strings.Split(strings.TrimSuffix(string(list[:n]), "\x00"), "\x00") {
		value := make([]byte, 4<<10)
		n, err := unix.Getxattr(path, name, value)
		if err != nil {
			return err
		}
		fmt.Printf("%s=%s\n", name, value[:n])
	}
	if _, err := unix.Getxattr(path, "user.nothing", nil); err != unix.ENODATA {
		return fmt.Errorf("an attribute that is not: %v", err)
	}
	if _, err := unix.Getxattr(path, xattrPrefix+"sha256", make([]byte, 63)); err != unix.ERANGE {
		return fmt.Errorf("an attribute that does not fit: %v", err)
	}
	return nil
}
