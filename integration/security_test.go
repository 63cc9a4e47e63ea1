package integration

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// stranger is a user other than the one who runs the tests.
const stranger = 65534

// asStranger runs a shell script as another user.
func asStranger(t *testing.T, script string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command("sh", append([]string{"-c", script, "sh"}, args...)...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: stranger, Gid: stranger}}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// openTo lets every user pass through the folders that lead to path.
func openTo(t *testing.T, path string) {
	t.Helper()
	for dir := filepath.Dir(path); dir != "/" && dir != os.TempDir(); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// secured mounts two models: one that all may read, and one for its owner. It
// gives the mount point, to which every user can pass.
func secured(t *testing.T, options ...string) string {
	t.Helper()
	if os.Getuid() != 0 {
		missing(t, "root, to become another user")
	}
	src, packed := t.TempDir(), filepath.Join(t.TempDir(), "packed")
	for name, mode := range map[string]os.FileMode{"all.safetensors": 0o644, "owner.safetensors": 0o600, "owner.txt": 0o600, "all.txt": 0o644} {
		path := filepath.Join(src, name)
		copyFile(t, path, small(t))
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	must(t, "pack", "-o", packed, src)
	if err := os.Chmod(packed, 0o755); err != nil {
		t.Fatal(err)
	}
	point := mount(t, packed, options...)
	openTo(t, point)
	openTo(t, program)
	return point
}

// hidesStatus checks that another user is not told the status of a mount.
func hidesStatus(t *testing.T, point string) {
	t.Helper()
	if out, err := asStranger(t, `"$2" status "$1"`, point, program); err == nil || !strings.Contains(out, "scapefs: ") {
		t.Errorf("status as another user: %v, %q", err, out)
	}
}

// Nobody but the user who mounted sees a mount.
func TestMountIsPrivate(t *testing.T) {
	point := secured(t)
	for _, script := range []string{`ls "$1"`, `stat "$1/all.safetensors"`, `cat "$1/all.safetensors"`} {
		if out, err := asStranger(t, script, point); err == nil || !strings.Contains(out, "Permission denied") {
			t.Errorf("%s as another user: %v, %.200q", script, err, out)
		}
	}
	hidesStatus(t, point)
}

// With --allow-other others see a mount, and in it what they might read of the
// originals.
func TestAllowOtherKeepsModes(t *testing.T) {
	point := secured(t, "--allow-other")
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, " "+point+" ") && !(strings.Contains(line, "allow_other") && strings.Contains(line, "default_permissions")) {
			t.Errorf("mounted as %s", line)
		}
	}
	for name, allowed := range map[string]bool{"all.safetensors": true, "all.txt": true, "owner.safetensors": false, "owner.txt": false} {
		out, err := asStranger(t, `cat "$1" >/dev/null`, filepath.Join(point, name))
		if allowed != (err == nil) || !allowed && !strings.Contains(out, "Permission denied") {
			t.Errorf("%s as another user: %v, %q", name, err, out)
		}
		info, err := os.Stat(filepath.Join(point, name))
		if err != nil || info.Mode().Perm()&0o222 != 0 {
			t.Errorf("%s: mode %v, %v", name, info.Mode(), err)
		}
	}
	if out, err := asStranger(t, `touch "$1/new"`, point); err == nil {
		t.Errorf("another user creates a file: %q", out)
	}
	hidesStatus(t, point)
}

// The log tells names of files: it is for the user who mounted alone.
func TestLogIsPrivate(t *testing.T) {
	packed := t.TempDir()
	must(t, "pack", "-o", packed+"/", small(t))
	log := filepath.Join(t.TempDir(), "log")
	defer unix.Umask(unix.Umask(0))
	mount(t, packed, "--log-file", log)
	info, err := os.Stat(log)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("log: %v, %v; want 0600", info.Mode(), err)
	}
}

// No name of a mount leads to what is outside of its source, but by a link
// that the reader follows by himself.
func TestSourceIsNotLeft(t *testing.T) {
	outside, packed := t.TempDir(), t.TempDir()
	secret := filepath.Join(outside, "secret.scape")
	must(t, "pack", "-o", secret, small(t))
	if err := os.Symlink(secret, filepath.Join(packed, "m.scape")); err != nil {
		t.Fatal(err)
	}
	point := mount(t, packed)
	if _, err := os.Stat(filepath.Join(point, "m.safetensors")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a link to an archive outside shows as its original: %v", err)
	}
	if target, err := os.Readlink(filepath.Join(point, "m.scape")); err != nil || target != secret {
		t.Errorf("the link is %q, %v", target, err)
	}
	for _, name := range []string{"..", "../" + filepath.Base(outside)} {
		info, err := os.Stat(point + "/" + name)
		if err == nil {
			if st := info.Sys().(*syscall.Stat_t); st.Dev == deviceOf(t, point) {
				t.Errorf("%s is in the mount", name)
			}
		}
	}
}

func deviceOf(t *testing.T, path string) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st.Dev
}

// Names of any bytes, of archives and of where they are mounted, are what they
// are.
func TestNamesOfAnyBytes(t *testing.T) {
	names := []string{
		" ", "a b", "new\nline", "tab\t", "\xff\xfe not UTF-8", "-rf", "back\\slash", `"quoted'`, "comma,equals=", "\x01\x7f",
		"%s%n", "ünï", "#", "$(x)", "..."}
	for _, odd := range []string{"plain", "a b", "comma,ro=x", "new\nline", "back\\slash", "\xff"} {
		packed := filepath.Join(t.TempDir(), odd)
		write(t, filepath.Join(packed, "plain.txt"), []byte("x"))
		must(t, "pack", "-o", filepath.Join(packed, "m.scape"), small(t))
		for _, name := range names {
			copyFile(t, filepath.Join(packed, name+".scape"), filepath.Join(packed, "m.scape"))
		}
		point := filepath.Join(mountPoint(t), odd)
		if err := os.Mkdir(point, 0o755); err != nil {
			t.Fatal(err)
		}
		must(t, "mount", packed, point)
		if shown := tree(t, point); len(shown) != len(names)+2 {
			t.Errorf("mounted at %q: shows %q", odd, shown)
		}
		want, err := hashByRead(small(t))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			got, err := hashByRead(filepath.Join(point, name+".safetensors"))
			if err != nil || got != want {
				t.Errorf("%q: %v, SHA-256 equal %v", name, err, got == want)
			}
		}
		must(t, "status", point)
		must(t, "umount", point)
		if shown := tree(t, point); len(shown) > 0 {
			t.Errorf("%q is still mounted", odd)
		}
	}
}
