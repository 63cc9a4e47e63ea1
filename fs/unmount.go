package fs

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrNotMounted reports a mountpoint that has no mount of ours.
var ErrNotMounted = errors.New("no scapefs is mounted there")

// fsType is the type under which the mount stands in /proc/mounts.
const fsType = "fuse." + fsName

// CleanStale detaches the mounts at mountpoint whose daemons have died, so that
// the place can be used again. It does nothing when the mountpoint answers. The
// dead mount of another file system is left alone, and an error.
func CleanStale(mountpoint string) error {
	for {
		var st unix.Statfs_t // unlike a stat, never answered from a cache
		if err := unix.Statfs(mountpoint, &st); !errors.Is(err, unix.ENOTCONN) {
			return nil
		}
		path, ours, err := ownMount(mountpoint)
		if err != nil {
			return err
		}
		if !ours {
			return fmt.Errorf("%s: %w, and is not a mount of ours: unmount it first", mountpoint, unix.ENOTCONN)
		}
		if err := detach(path); err != nil {
			return err
		}
	}
}

// Unmount takes the mount of ours at mountpoint away, whichever process serves
// it and even if that has died. One in use is detached lazily, as by
// Server.Unmount. The error wraps ErrNotMounted if there is none.
func Unmount(mountpoint string) error {
	path, ours, err := ownMount(mountpoint)
	if err != nil {
		return err
	}
	if !ours {
		return fmt.Errorf("%s: %w", mountpoint, ErrNotMounted)
	}
	if unmount(path, 0) == nil {
		return nil
	}
	return detach(path)
}

// ownMount resolves mountpoint, and reports whether what is mounted there is
// ours.
func ownMount(mountpoint string) (path string, ours bool, err error) {
	if path, err = resolve(mountpoint); err != nil {
		return "", false, err
	}
	info, err := mountAt(path)
	return path, info != nil && info.FSType == fsType, err
}

// detach unmounts the mount at path lazily: it is gone from the tree at once,
// and ends when the last file is closed.
func detach(path string) error { return unmount(path, unix.MNT_DETACH, "-z") }

// unmount takes root, or the fusermount3 helper and the user who mounted.
func unmount(path string, flags int, helperFlags ...string) error {
	err := unix.Unmount(path, flags|unix.UMOUNT_NOFOLLOW)
	if !errors.Is(err, unix.EPERM) {
		return wrap("unmount", path, err)
	}
	args := append(append([]string{"-u"}, helperFlags...), "--", path)
	out, err := exec.Command("fusermount3", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("fusermount3 %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

func wrap(op, path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", op, path, err)
}

// resolve gives the absolute path of a mountpoint, without links. A mount is
// found through its parent alone: it may be dead, show a folder that is gone,
// or never answer.
func resolve(mountpoint string) (string, error) {
	abs, err := filepath.Abs(mountpoint)
	if err != nil {
		return "", err
	}
	parent, err := filepath.EvalSymlinks(filepath.Dir(abs))
	if err != nil {
		return "", err
	}
	path := filepath.Join(parent, filepath.Base(abs))
	if info, err := mountAt(path); err != nil || info != nil {
		return path, err
	}
	return filepath.EvalSymlinks(abs)
}
