// Package safetensors reads the header of a safetensors file: which tensors
// the file holds, of what type and shape, and where their bytes lie.
//
// The parser is strict. A file passes only if its header can be read in one
// way and its tensors cover the data area exactly; everything else is
// ErrInvalid. It touches nothing but the header, and knows nothing of chunks,
// archives or codecs.
//
// A safetensors file is
//
//	8 bytes        length n of the header, little-endian
//	n bytes        one JSON object in UTF-8, padded at its end with spaces
//	the rest       data area: the tensors' bytes, without gaps
//
// The object maps every tensor's name to its dtype, shape and data_offsets, and
// may hold strings about the file under "__metadata__".
package safetensors

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// MaxHeaderLen is the longest header, in bytes, that Parse accepts. The
// reference implementation has the same limit.
const MaxHeaderLen = 100_000_000

const prefixLen = 8 // the header's length, in front of the header

// ErrInvalid reports a file that is no well-formed safetensors file. Errors
// that wrap it say what is wrong, and in which tensor or at which byte.
var ErrInvalid = errors.New("invalid safetensors file")

// Tensor describes one tensor of a file.
type Tensor struct {
	Name  string
	DType DType
	Shape []int64 // row-major; empty for a scalar
	Begin int64   // offset of the first byte, from the start of the file
	End   int64   // offset behind the last byte, from the start of the file
}

// Header is what the header of a file says.
type Header struct {
	// Tensors in the order of the file: by Begin, then End, then Name. Each
	// begins where the one before it ends; the first begins at DataStart, the
	// last ends with the file.
	Tensors []Tensor
	// Metadata is the content of "__metadata__", nil if there is none.
	Metadata map[string]string
	// DataStart is the offset of the data area in the file, in bytes.
	DataStart int64
}

// Parse reads the header of the safetensors file r of size bytes, and reads no
// byte beyond it. What it allocates is bounded by the header's length.
//
// A dtype that this package does not know is accepted, and its tensor's length
// taken from the offsets alone.
//
// Errors about the content of the file wrap ErrInvalid. An error of r is
// wrapped as it is and does not: the file may be fine.
func Parse(r io.ReaderAt, size int64) (*Header, error) {
	raw, err := readHeader(r, size)
	if err != nil {
		return nil, err
	}
	h, err := parseHeader(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	h.DataStart = prefixLen + int64(len(raw))
	if err := layOut(h.Tensors, size-h.DataStart); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	for i := range h.Tensors {
		h.Tensors[i].Begin += h.DataStart
		h.Tensors[i].End += h.DataStart
	}
	return h, nil
}

// readHeader reads the JSON part of the header, padding included. It allocates
// only what the file is large enough to hold.
func readHeader(r io.ReaderAt, size int64) ([]byte, error) {
	if size < prefixLen {
		return nil, fmt.Errorf("%w: %d bytes, too short for the %d-byte length of the header", ErrInvalid, size, prefixLen)
	}
	var prefix [prefixLen]byte
	if err := readFull(r, prefix[:], 0); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint64(prefix[:])
	if n > MaxHeaderLen {
		return nil, fmt.Errorf("%w: header of %d bytes, more than the limit of %d", ErrInvalid, n, MaxHeaderLen)
	}
	if room := size - prefixLen; int64(n) > room {
		return nil, fmt.Errorf("%w: header of %d bytes, but only %d follow its length; is the file complete?", ErrInvalid, n, room)
	}
	raw := make([]byte, n)
	if err := readFull(r, raw, prefixLen); err != nil {
		return nil, err
	}
	return raw, nil
}

// readFull fills p from offset off. A file that ends early is shorter than its
// size said, and invalid; any other error is the reader's.
func readFull(r io.ReaderAt, p []byte, off int64) error {
	n, err := r.ReadAt(p, off)
	switch {
	case n == len(p):
		return nil
	case err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: file ends at byte %d, inside its header", ErrInvalid, off+int64(n))
	}
	return fmt.Errorf("read safetensors header: %w", err)
}

// layOut checks that every tensor is sound, sorts them into the order of the
// file, and checks that they cover a data area of size bytes without gap or
// overlap. Offsets count from the start of the data area.
func layOut(tensors []Tensor, size int64) error {
	for i := range tensors {
		if err := tensors[i].check(size); err != nil {
			return fmt.Errorf("tensor %s: %w", quote(tensors[i].Name), err)
		}
	}
	// End comes before Name so that an empty tensor stands in front of the
	// one that begins at the same byte: the only order without overlap.
	slices.SortFunc(tensors, func(a, b Tensor) int {
		return cmp.Or(cmp.Compare(a.Begin, b.Begin), cmp.Compare(a.End, b.End), strings.Compare(a.Name, b.Name))
	})
	end := int64(0)
	for i := range tensors {
		t := &tensors[i]
		if t.Begin > end {
			return fmt.Errorf("tensor %s: begins at data byte %d, leaving a gap from %d", quote(t.Name), t.Begin, end)
		}
		if t.Begin < end {
			return fmt.Errorf("tensor %s: begins at data byte %d, inside tensor %s, which ends at %d",
				quote(t.Name), t.Begin, quote(tensors[i-1].Name), end)
		}
		end = t.End
	}
	if end != size {
		return fmt.Errorf("tensors end at data byte %d, but the data area holds %d bytes", end, size)
	}
	return nil
}

// check holds t's offsets against a data area of size bytes, and against its
// shape where the dtype is known.
func (t *Tensor) check(size int64) error {
	if t.Begin > t.End {
		return fmt.Errorf("data_offsets: begins at %d, behind its end at %d", t.Begin, t.End)
	}
	if t.End > size {
		return fmt.Errorf("data_offsets: ends at data byte %d, but the data area holds %d bytes; is the file complete?", t.End, size)
	}
	bits, known := t.DType.Bits()
	if !known {
		return nil
	}
	want, err := extent(t.Shape, bits)
	if err != nil {
		return fmt.Errorf("shape: %w", err)
	}
	if got := t.End - t.Begin; uint64(got) != want {
		return fmt.Errorf("data_offsets: span %d bytes, but shape and dtype %s take %d", got, t.DType, want)
	}
	return nil
}

// maxQuoted bounds the text that an error repeats from a file, in bytes.
const maxQuoted = 64

// quote gives s for an error message: quoted, and cut if it is long.
func quote(s string) string {
	if len(s) <= maxQuoted {
		return fmt.Sprintf("%q", s)
	}
	cut := strings.ToValidUTF8(s[:maxQuoted], "")
	return fmt.Sprintf("%q... (%d bytes)", cut, len(s))
}
