package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/scapefs/scapefs/archive"
)

// The exit codes. Scripts depend on them.
const (
	exitDone    = 0
	exitFailed  = 1
	exitUsage   = 2
	exitCorrupt = 3
)

// usageError is a wrong use of the command line.
type usageError struct{ msg string }

func (e *usageError) Error() string { return e.msg }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

// codeError stands for failures that were told already, or in another
// process, and ends the program with their code.
type codeError struct {
	code int
	msg  string // "" when there is nothing left to tell
}

func (e *codeError) Error() string { return e.msg }

// exitCode is the one place where errors become exit codes.
func exitCode(err error) int {
	var usage *usageError
	var coded *codeError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &coded):
		return coded.code
	case isDamage(err):
		return exitCorrupt
	}
	return exitFailed
}

// isDamage reports whether err is about the bytes of an archive, and not
// about getting at them.
func isDamage(err error) bool {
	for _, target := range []error{
		archive.ErrCorrupt, archive.ErrNotArchive, archive.ErrVersion, archive.ErrUnsupported,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// report tells err, unless that has been done.
func report(w io.Writer, err error) {
	if err == nil || err.Error() == "" {
		return
	}
	if errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	for line := range strings.Lines(err.Error()) { // several errors may be joined
		fmt.Fprintf(w, "scapefs: %s\n", strings.TrimSuffix(line, "\n"))
	}
	if hint := hint(err); hint != "" {
		fmt.Fprintf(w, "scapefs: %s\n", hint)
	}
}

// hint says what to do about damage.
func hint(err error) string {
	switch {
	case errors.Is(err, archive.ErrCorrupt):
		return "the data cannot be trusted: restore the archive from a copy, or pack the original again"
	case errors.Is(err, archive.ErrUnsupported):
		return "use a newer scapefs for this archive"
	case errors.Is(err, archive.ErrNotArchive):
		return "archives are made with: scapefs pack"
	}
	return ""
}

// each does fn for every item and reports what fails. Unless interrupted it
// goes on, as one bad file should not hide the others. The error it gives has
// been told, and bears the gravest exit code.
func each[T any](ctx context.Context, stderr io.Writer, items []T, fn func(T) error) error {
	worst := exitDone
	for _, item := range items {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := fn(item); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			report(stderr, err)
			worst = max(worst, exitCode(err))
		}
	}
	if worst != exitDone {
		return &codeError{code: worst}
	}
	return nil
}
