package image

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	loopControl = "/dev/loop-control"
	loopTries   = 8 // others look for a free device too
)

// mount sets up the three layers. What fails leaves nothing behind.
func (im *Image) mount(readAhead int) (err error) {
	im.conn, err = dial(im)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, im.Close())
		}
	}()
	backing, err := im.conn.mount()
	if err != nil {
		return err
	}
	defer backing.Close()
	loop, err := attach(backing)
	if err != nil {
		return err
	}
	defer loop.Close() // it lives as long as the mount
	sectors := uintptr(readAhead / 512)
	if _, _, no := unix.Syscall(unix.SYS_IOCTL, loop.Fd(), unix.BLKRASET, sectors); no != 0 {
		return fmt.Errorf("readahead of %s: %w", loop.Name(), no)
	}
	// Best effort: requests as large as those of the connection.
	limit := fmt.Sprintf("/sys/block/%s/queue/max_sectors_kb", loop.Name()[len("/dev/"):])
	_ = os.WriteFile(limit, fmt.Append(nil, maxRead>>10), 0o644)
	im.root, err = detachedMount("erofs", [][2]string{{"source", loop.Name()}})
	return err
}

// Close takes the image away and waits for its end. Nobody may read it any
// more; who does all the same gets errors.
func (im *Image) Close() error {
	var err error
	if im.root != nil {
		err = im.root.Close()
	}
	return errors.Join(err, im.conn.close())
}

// detachedMount mounts a file system that is nowhere in the tree of files. It
// ends when the folder given, and what was opened below it, is closed.
func detachedMount(kind string, options [][2]string) (*os.File, error) {
	fail := func(what string, err error) (*os.File, error) {
		return nil, fmt.Errorf("mount %s: %s: %w", kind, what, err)
	}
	fs, err := unix.Fsopen(kind, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return fail("fsopen", err)
	}
	defer unix.Close(fs)
	for _, o := range options {
		if err := unix.FsconfigSetString(fs, o[0], o[1]); err != nil {
			return fail(o[0], err)
		}
	}
	if err := unix.FsconfigSetFlag(fs, "ro"); err != nil {
		return fail("ro", err)
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return fail("create", err)
	}
	attrs := unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC
	fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, attrs)
	if err != nil {
		return fail("fsmount", err)
	}
	return os.NewFile(uintptr(fd), kind), nil
}

// attach gives a loop device of file, which is free again once it is closed
// and no mount uses it.
func attach(file *os.File) (*os.File, error) {
	control, err := os.OpenFile(loopControl, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer control.Close()
	config := unix.LoopConfig{Fd: uint32(file.Fd())}
	config.Info.Flags = unix.LO_FLAGS_READ_ONLY | unix.LO_FLAGS_AUTOCLEAR | unix.LO_FLAGS_DIRECT_IO
	copy(config.Info.File_name[:], "scapefs")
	defer runtime.KeepAlive(file)
	for range loopTries {
		n, _, no := unix.Syscall(unix.SYS_IOCTL, control.Fd(), unix.LOOP_CTL_GET_FREE, 0)
		if no != 0 {
			return nil, fmt.Errorf("a free loop device: %w", no)
		}
		loop, err := os.OpenFile(fmt.Sprintf("/dev/loop%d", n), os.O_RDONLY, 0)
		if err != nil {
			return nil, err
		}
		err = unix.IoctlLoopConfigure(int(loop.Fd()), &config)
		if err == nil {
			err = checkDirect(loop)
		}
		if err == nil {
			return loop, nil
		}
		loop.Close()
		if !errors.Is(err, unix.EBUSY) {
			return nil, fmt.Errorf("configure %s: %w", loop.Name(), err)
		}
	}
	return nil, errors.New("no free loop device")
}

// checkDirect fails when the device reads by way of the page cache, which would
// then hold everything twice.
func checkDirect(loop *os.File) error {
	status, err := unix.IoctlLoopGetStatus64(int(loop.Fd()))
	if err != nil {
		return err
	}
	if status.Flags&unix.LO_FLAGS_DIRECT_IO == 0 {
		return errors.New("no direct I/O")
	}
	return nil
}

// asBytes is the memory of v.
func asBytes[T any](v *T) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v)) }
