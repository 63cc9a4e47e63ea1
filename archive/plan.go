package archive

import (
	"slices"

	"github.com/scapefs/scapefs/codec"
	"github.com/scapefs/scapefs/index"
	"github.com/scapefs/scapefs/safetensors"
)

// largeTensor is the size from which a tensor has chunks of its own, in bytes.
const largeTensor = 1 << 20

// Span is a chunk to be: bytes of a file whose elements share one type.
type Span struct {
	Off   int64 // in the file
	Len   int   // bytes
	Elem  codec.Elem
	DType uint8        // its number in the index
	Parts []codec.Part // the tensors in it

	// Referred says that a later part may refer to this chunk.
	Referred bool
}

// Plan cuts a file of size bytes into chunks of at most chunkLen bytes, a
// multiple of 4 KiB or 0 for DefaultChunkLen. The safetensors header has chunks
// of its own, and so has each large tensor; neighbouring small tensors of one
// dtype share. A file whose hdr is nil is bytes all through.
func Plan(hdr *safetensors.Header, size int64, chunkLen int) []Span {
	if chunkLen == 0 {
		chunkLen = DefaultChunkLen
	}
	p := planner{chunkLen: int64(chunkLen), first: map[kind]int64{}}
	if hdr != nil {
		p.cut(hdr.DataStart, noDType)
		for _, t := range hdr.Tensors {
			p.tensor(t)
		}
	}
	p.cut(size, noDType)
	return p.spans
}

type planner struct {
	chunkLen int64
	spans    []Span
	end      int64 // of the last span
	sharing  bool  // the last span is one of small tensors

	first map[kind]int64 // where in the file the first tensor of a kind begins
}

func (p *planner) tensor(t safetensors.Tensor) {
	p.cut(t.Begin, noDType)
	n := t.End - p.end
	from := len(p.spans)
	switch {
	case n <= 0:
	case n >= min(largeTensor, p.chunkLen):
		p.cut(t.End, t.DType)
		for i := from; i < len(p.spans); i++ {
			p.spans[i].Parts = []codec.Part{partOf(t, 0, p.spans[i].Off)}
		}
	default:
		p.share(int(n), t)
		from = len(p.spans) - 1
	}
	if n == t.End-t.Begin && n > 0 {
		p.offer(t, from)
	}
}

// partOf describes the part of t that begins at offset off of a chunk and at
// offset at of the file.
func partOf(t safetensors.Tensor, off int, at int64) codec.Part {
	shape := t.Shape
	if t.DType == "C64" {
		shape = append(slices.Clone(shape), 2)
	}
	return codec.Part{Off: off, Shape: shape, Skip: (at - t.Begin) / int64(elemOf(t.DType).Width)}
}

// cut covers the file up to end by chunks that share with nothing, of about
// equal length: a short one at the end would need tables of its own.
func (p *planner) cut(end int64, d safetensors.DType) {
	rest := end - p.end
	if rest <= 0 {
		return
	}
	each := roundUp(ceilDiv(rest, ceilDiv(rest, p.chunkLen)), chunkAlign)
	for p.end < end {
		p.add(int(min(each, end-p.end)), d)
	}
	p.sharing = false
}

// share adds a small tensor to the last chunk if that one is of its dtype and
// has the room, else begins a chunk with it.
func (p *planner) share(n int, t safetensors.Tensor) {
	if p.sharing {
		last := &p.spans[len(p.spans)-1]
		if last.DType == index.DTypeCode(string(t.DType)) && int64(last.Len+n) <= p.chunkLen {
			last.Parts = append(last.Parts, partOf(t, last.Len, t.Begin))
			last.Len += n
			p.end += int64(n)
			return
		}
	}
	p.add(n, t.DType)
	p.spans[len(p.spans)-1].Parts = []codec.Part{partOf(t, 0, t.Begin)}
	p.sharing = true
}

// add appends a chunk of n bytes.
func (p *planner) add(n int, d safetensors.DType) {
	p.spans = append(p.spans, Span{Off: p.end, Len: n, Elem: elemOf(d), DType: index.DTypeCode(string(d))})
	p.end += int64(n)
}

func ceilDiv(a, b int64) int64 { return (a + b - 1) / b }

func roundUp(n, align int64) int64 { return ceilDiv(n, align) * align }
