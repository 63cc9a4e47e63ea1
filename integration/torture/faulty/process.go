// Package faulty is a disk that fails on command: a FUSE file system that shows
// a folder read-only, and lets its requests fail, hang or lie as it is told. It
// runs in a process of its own. It knows nothing of archives.
package faulty

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/scapefs/scapefs/integration/torture/child"
)

// Role is the name of the process that serves a disk.
const Role = "disk"

// answerTime is how long the process may take to do what it is told.
const answerTime = time.Minute

// order is what the process is told: a new fault, or only to answer.
type order struct {
	Fault *Fault `json:"fault,omitempty"`
}

// answer tells that an order is carried out.
type answer struct {
	Hit   int64  `json:"hit"` // requests that the fault up to now has befallen
	Error string `json:"error,omitempty"`
}

// Main serves the folder args[0] at args[1]. It takes an order a line,
// answers each, and ends when there are no more.
func Main(args []string) error {
	if len(args) != 2 {
		return errors.New("give a folder and a mount point")
	}
	s := newState()
	out := json.NewEncoder(os.Stdout)
	server, err := serve(args[0], args[1], s)
	if err != nil {
		return errors.Join(err, out.Encode(answer{Error: err.Error()}))
	}
	defer func() {
		s.set(Fault{})
		if server.Unmount() != nil { // files of it are open
			_ = unix.Unmount(args[1], unix.MNT_DETACH) // it may be gone
		}
	}()
	if err := out.Encode(answer{}); err != nil {
		return err
	}
	for in := json.NewDecoder(os.Stdin); ; {
		var o order
		if err := in.Decode(&o); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		a := answer{Hit: s.befallen()}
		if o.Fault != nil {
			a.Hit = s.set(*o.Fault)
		}
		if err := out.Encode(a); err != nil {
			return err
		}
	}
}

// Disk is a disk that is mounted, and the process that serves it.
type Disk struct {
	point string
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *os.File
	end   func() error
}

// Start mounts folder at point.
func Start(folder, point string) (*Disk, error) {
	cmd := child.Command(Role, folder, point)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout = theirs
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		return nil, errors.Join(err, out.Close())
	}
	d := &Disk{point: point, cmd: cmd, in: in, out: out}
	d.end = sync.OnceValue(d.stop)
	if _, err := d.hear(); err != nil {
		return nil, errors.Join(fmt.Errorf("mount a faulty disk at %s: %w", point, err), d.Stop())
	}
	return d, nil
}

func (d *Disk) hear() (int64, error) {
	if err := d.out.SetReadDeadline(time.Now().Add(answerTime)); err != nil {
		return 0, err
	}
	var a answer
	if err := json.NewDecoder(d.out).Decode(&a); err != nil {
		return 0, err
	}
	if a.Error != "" {
		return 0, errors.New(a.Error)
	}
	return a.Hit, nil
}

// Set ends the fault that there is and begins f. It says how many requests the
// one before has befallen.
func (d *Disk) Set(f Fault) (hit int64, err error) {
	return d.tell(order{Fault: &f})
}

// Hit says how many requests the fault that there is has befallen up to now.
func (d *Disk) Hit() (int64, error) { return d.tell(order{}) }

func (d *Disk) tell(o order) (hit int64, err error) {
	if err := json.NewEncoder(d.in).Encode(o); err != nil {
		return 0, err
	}
	return d.hear()
}

// Mend ends the fault that there is, and says how many requests it has
// befallen.
func (d *Disk) Mend() (hit int64, err error) { return d.Set(Fault{}) }

// Point is where it is mounted.
func (d *Disk) Point() string { return d.point }

// Unplug makes the disk vanish while it is in use: its process is killed and
// the mount taken away. What is open fails from then on.
func (d *Disk) Unplug() error {
	err := d.cmd.Process.Signal(syscall.SIGKILL)
	return errors.Join(err, d.Stop())
}

// Stop ends the fault, the mount and the process. Stopping again does nothing.
func (d *Disk) Stop() error { return d.end() }

func (d *Disk) stop() error {
	defer d.out.Close()
	d.in.Close()
	late := time.AfterFunc(answerTime, func() { _ = d.cmd.Process.Kill() })
	err := d.cmd.Wait()
	late.Stop()
	var exit *exec.ExitError
	if errors.As(err, &exit) && !exit.Exited() {
		err = nil // it was killed, as it should
	}
	// A process that was killed leaves a dead mount.
	if no := unix.Unmount(d.point, unix.MNT_DETACH); no != nil && no != unix.EINVAL && no != unix.ENOENT {
		err = errors.Join(err, detachByHelper(d.point))
	}
	return err
}

// detachByHelper unmounts for who is not root.
func detachByHelper(point string) error {
	out, err := exec.Command("fusermount3", "-u", "-z", "--", point).CombinedOutput()
	if err != nil && !notMounted(point) {
		return fmt.Errorf("unmount %s: %w: %s", point, err, out)
	}
	return nil
}

func notMounted(point string) bool {
	var here, above unix.Stat_t
	if unix.Stat(point, &here) != nil || unix.Stat(point+"/..", &above) != nil {
		return false
	}
	return here.Dev == above.Dev
}
