package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/scapefs/scapefs/fs"
)

// readyFlag is the option by which a mount process learns the file descriptor
// on which to tell that the mount answers, or why it does not.
const readyFlag = "ready-fd"

// mountTimeout is how long a mount may take to answer.
const mountTimeout = 30 * time.Second

// readiness is what a mount process tells.
type readiness struct {
	Code  int    `json:"code"` // exit code, 0 when the mount answers
	Error string `json:"error,omitempty"`
}

// startBackground serves a from a process of its own, and returns when the
// mount answers.
func (a *mountArgs) startBackground(ctx context.Context) error {
	process, err := a.start(ctx)
	if err != nil {
		return err
	}
	return process.Process.Release()
}

// start begins a process that serves a, in a session of its own, and waits
// until the mount answers. When it does not, nothing is left of it.
func (a *mountArgs) start(ctx context.Context) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	ready, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer ready.Close()
	cmd := exec.Command(self, a.command(3)...) // 3 is the first of ExtraFiles
	if a.logFile != "" {
		log, err := openLog(a.logFile)
		if err != nil {
			return nil, errors.Join(err, theirs.Close())
		}
		defer log.Close()
		cmd.Stdout, cmd.Stderr = log, log // where a crash would be told
	}
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	theirs.Close() // lest we wait for ourselves
	if err != nil {
		return nil, err
	}
	if err := a.awaitReady(ctx, ready); err != nil {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
		return nil, errors.Join(err, fs.CleanStale(a.mountpoint))
	}
	return cmd, nil
}

func (a *mountArgs) awaitReady(ctx context.Context, ready *os.File) error {
	if err := ready.SetReadDeadline(time.Now().Add(mountTimeout)); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = ready.SetReadDeadline(time.Now()) })
	defer stop()
	var r readiness
	err := json.NewDecoder(ready).Decode(&r)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("mount %s: no answer within %v: see what hinders it with --foreground", a.mountpoint, mountTimeout)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("mount %s: the process ended: see why with --foreground", a.mountpoint)
	case err != nil:
		return err
	case r.Code != 0:
		return &codeError{r.Code, r.Error}
	}
	return nil
}

// tellReady tells on file descriptor fd how mounting went.
func tellReady(fd int, mountErr error) error {
	r := readiness{Code: exitCode(mountErr)}
	if mountErr != nil {
		r.Error = mountErr.Error()
	}
	f := os.NewFile(uintptr(fd), "ready")
	if f == nil {
		return fmt.Errorf("--%s %d: not a file descriptor", readyFlag, fd)
	}
	return errors.Join(json.NewEncoder(f).Encode(r), f.Close())
}
