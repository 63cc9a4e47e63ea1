package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"

	"github.com/scapefs/scapefs/codec"
	"github.com/scapefs/scapefs/safetensors"
)

// minCandidate is how many bytes a part must have to be compared with another.
const minCandidate = 1 << 10

// kind is what two tensors have in common if one may refer to the other.
type kind struct {
	dtype safetensors.DType
	shape string
	len   int64 // bytes
}

// offer gives the parts of t, each the last one of a span from number from on,
// the place of the same part of the first tensor of that kind, if it lies within
// one span: a candidate for a reference. A first tensor has none, so what is
// referred to refers to nothing.
func (p *planner) offer(t safetensors.Tensor, from int) {
	k := kind{t.DType, fmt.Sprint(t.Shape), t.End - t.Begin}
	begin, seen := p.first[k]
	if !seen {
		p.first[k] = t.Begin
		return
	}
	for i := from; i < len(p.spans); i++ {
		s := &p.spans[i]
		part := &s.Parts[len(s.Parts)-1]
		if n := s.Len - part.Off; n >= minCandidate {
			part.Ref = place(p.spans[:i+1], s.Off+int64(part.Off)-t.Begin+begin, n)
		}
	}
}

// place gives the n bytes at offset at of the file by chunk, and marks the chunk
// as one that may be referred to; none if they lie in more than one.
func place(spans []Span, at int64, n int) codec.Reference {
	row := sort.Search(len(spans), func(i int) bool { return spans[i].Off > at }) - 1
	s := &spans[row]
	off := int(at - s.Off)
	if off+n > s.Len {
		return codec.Reference{}
	}
	s.Referred = true
	return codec.Reference{Row: row, Off: off, Len: n}
}

// Probes of a candidate, to see whether all of it is worth reading: so many, of
// so many bytes.
const (
	probes   = 32
	probeLen = 128
)

// Candidates gives the parts of s, one of the spans of src, whose bytes are data:
// those with a candidate that has bytes in common with them together with its
// bytes, read from src.
func Candidates(src io.ReaderAt, spans []Span, s Span, data []byte) ([]codec.Part, error) {
	var parts []codec.Part
	for k, p := range s.Parts {
		if p.Ref.Len == 0 {
			continue
		}
		own := data[p.Off : p.Off+p.Ref.Len]
		at := spans[p.Ref.Row].Off + int64(p.Ref.Off)
		ref, err := readIfAlike(src, at, own, int(s.Elem.Width))
		if err != nil {
			return nil, err
		}
		if ref == nil {
			continue
		}
		if parts == nil {
			parts = slices.Clone(s.Parts)
		}
		parts[k].RefData = ref
	}
	if parts == nil {
		return s.Parts, nil
	}
	return parts, nil
}

// readIfAlike reads as many bytes as own has at offset at of f, if probes of
// them show that some elements are equal; else it gives nil.
func readIfAlike(f io.ReaderAt, at int64, own []byte, width int) ([]byte, error) {
	if len(own) > 4*probes*probeLen {
		alike, err := probe(f, at, own, width)
		if err != nil || !alike {
			return nil, err
		}
	}
	ref := make([]byte, len(own))
	if err := readFull(f, ref, at); err != nil {
		return nil, err
	}
	return ref, nil
}

// probe compares pieces that are spread evenly. Chance makes one of some
// hundred elements of two tensors equal.
func probe(f io.ReaderAt, at int64, own []byte, width int) (bool, error) {
	var piece [probeLen]byte
	equal := 0
	for k := range int64(probes) {
		off := int64(len(own)-probeLen) * k / (probes - 1) / probeLen * probeLen
		if err := readFull(f, piece[:], at+off); err != nil {
			return false, err
		}
		for i := 0; i < probeLen; i += width {
			if bytes.Equal(piece[i:i+width], own[off:][i:i+width]) {
				equal++
			}
		}
	}
	return equal >= probes*probeLen/width/32, nil
}

// readFull reads the source, which must not have become shorter.
func readFull(f io.ReaderAt, p []byte, off int64) error {
	_, err := f.ReadAt(p, off)
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: it ends before %d", ErrChanged, off+int64(len(p)))
	}
	return err
}
