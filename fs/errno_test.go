package fs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/scapefs/scapefs/archive"
)

func TestErrno(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want syscall.Errno
	}{
		{nil, 0},
		{context.Canceled, syscall.EINTR},
		{fmt.Errorf("read: %w", context.Canceled), syscall.EINTR},
		{&archive.CorruptError{Chunk: 1, Err: io.ErrUnexpectedEOF}, syscall.EIO},
		{&archive.CorruptError{Chunk: 1, Err: syscall.ENOENT}, syscall.EIO},
		{fmt.Errorf("x: %w", archive.ErrNotArchive), syscall.EIO},
		{archive.ErrVersion, syscall.EIO},
		{archive.ErrUnsupported, syscall.EIO},
		{archive.ErrChanged, syscall.EIO},
		{io.ErrUnexpectedEOF, syscall.EIO},
		{errors.New("else"), syscall.EIO},
		{&os.PathError{Op: "open", Path: "x", Err: syscall.ENOENT}, syscall.ENOENT},
		{&os.PathError{Op: "open", Path: "x", Err: syscall.EMFILE}, syscall.EMFILE},
		{errPanicked, syscall.EIO},
	} {
		if got := errno(tt.err); got != tt.want {
			t.Errorf("errno(%v) = %v, want %v", tt.err, got, tt.want)
		}
	}
}

func TestFaultsAreLoggedOncePerChunk(t *testing.T) {
	var out bytes.Buffer
	f := newFaultLog(slog.New(slog.NewTextHandler(&out, nil)))
	lines := func() int { return strings.Count(out.String(), "\n") }
	for chunk := range 3 {
		for range 5 {
			err := &archive.CorruptError{Chunk: chunk, Offset: 77, Err: errors.New("checksum")}
			if no := f.errno(1, "m.scape", err); no != syscall.EIO {
				t.Fatal(no)
			}
		}
	}
	if lines() != 3 {
		t.Errorf("3 chunks, logged:\n%s", &out)
	}
	for _, want := range []string{"file=m.scape", "chunk=2", "offset=77", "checksum"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("log lacks %q:\n%s", want, &out)
		}
	}
	for _, quiet := range []error{nil, context.Canceled, syscall.ENOENT, syscall.ESTALE} {
		f.errno(1, "m.scape", quiet)
	}
	if lines() != 3 {
		t.Errorf("ordinary errors logged:\n%s", &out)
	}
	f.errno(2, "m.scape", &archive.CorruptError{Chunk: 0, Err: errors.New("checksum")})
	if lines() != 4 {
		t.Error("another generation of the file is not logged")
	}
}

func TestGuard(t *testing.T) {
	err := guard(func() error { panic("boom") })
	if err == nil || !strings.Contains(err.Error(), "boom") || errno(err) != syscall.EIO {
		t.Errorf("%v", err)
	}
	if err := guard(func() error { return io.EOF }); err != io.EOF {
		t.Errorf("%v", err)
	}
}
