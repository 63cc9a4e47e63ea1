// Package archive reads and writes .scape archives: it joins the chunk index
// (package index) and the coded chunks (package codec) to one file.
//
// Pack makes an archive of a file, Unpack the file of an archive, Verify
// decodes all of one; Open gives a Reader that decodes any block on demand. A
// Reader takes its bytes from a Source, which may be a local file or anything
// that reads at an offset. A block may be coded as a reference to bytes of an
// earlier chunk, which the Reader then decodes as well.
//
// The package knows nothing of mounts and keeps no decoded bytes: caching them
// is its caller's business.
package archive

import (
	"errors"
	"fmt"

	"github.com/scapefs/scapefs/codec"
	"github.com/scapefs/scapefs/index"
)

// Errors that callers branch on.
var (
	// ErrCorrupt reports an archive whose bytes are not what was written.
	// Every error that wraps it is or holds a *CorruptError.
	ErrCorrupt = errors.New("archive is corrupt")
	// ErrNotArchive reports a file that is no archive at all.
	ErrNotArchive = index.ErrNotArchive
	// ErrVersion reports an archive of a later format version.
	ErrVersion = index.ErrVersion
	// ErrUnsupported reports a chunk coded by a method this program does not
	// know. The archive may be sound.
	ErrUnsupported = codec.ErrUnsupported
	// ErrChanged reports a file that was written to, cut or replaced while it
	// was in use.
	ErrChanged = errors.New("file changed while in use")
)

// CorruptError is the one class of corruption: what is wrong, and where.
type CorruptError struct {
	Path   string // of the archive; empty if its Source has no name
	Chunk  int    // number of the chunk, -1 if it is none
	Offset int64  // in the archive, in bytes
	Err    error  // what is wrong
}

func (e *CorruptError) Error() string {
	where := fmt.Sprintf("at offset %d", e.Offset)
	if e.Chunk >= 0 {
		where = fmt.Sprintf("chunk %d at offset %d", e.Chunk, e.Offset)
	}
	if e.Path != "" {
		where = e.Path + ": " + where
	}
	return fmt.Sprintf("%s: %v: %v", where, ErrCorrupt, e.Err)
}

// Unwrap gives what is wrong.
func (e *CorruptError) Unwrap() error { return e.Err }

// Is makes errors.Is(err, ErrCorrupt) hold.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }
