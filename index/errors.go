package index

import (
	"errors"
	"fmt"
)

// Errors that callers branch on.
var (
	// ErrNotArchive reports bytes that do not carry the archive's magic.
	ErrNotArchive = errors.New("not a scape archive")
	// ErrVersion reports an archive of a later format version.
	ErrVersion = errors.New("archive format is newer than this program")
	// ErrCorrupt reports bytes that no writer has written. Errors that wrap it
	// are of type *CorruptError.
	ErrCorrupt = errors.New("corrupt index")
)

// CorruptError says what is wrong, and where in the archive.
type CorruptError struct {
	Offset int64 // in the archive, in bytes
	Reason string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("%v at offset %d: %s", ErrCorrupt, e.Offset, e.Reason)
}

// Unwrap makes errors.Is(err, ErrCorrupt) hold.
func (e *CorruptError) Unwrap() error { return ErrCorrupt }

// corrupt is the only place where a CorruptError is made.
func corrupt(offset int64, format string, args ...any) error {
	return &CorruptError{Offset: offset, Reason: fmt.Sprintf(format, args...)}
}

// checkVersion judges the version field found at offset.
func checkVersion(offset int64, v uint16) error {
	switch {
	case v == 0:
		return corrupt(offset, "version 0")
	case v > Version:
		return fmt.Errorf("%w: it has version %d, this program reads version %d; use a newer scapefs", ErrVersion, v, Version)
	}
	return nil
}
