package fs

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"slices"
	"sort"

	"github.com/scapefs/scapefs/archive"
	"github.com/scapefs/scapefs/safetensors"
)

const (
	// maxOrderHeader is the longest header of a safetensors file that is looked
	// into, in bytes: a longer one costs more memory than its order is worth.
	maxOrderHeader = 4 << 20

	// maxSkipped is how many bytes of tensors a reader may pass over unseen, as
	// the kernel had them already.
	maxSkipped = 4 << 20
)

// order is the order of a file's tensors by name, in which loaders read them:
// layers.10 comes before layers.2, wherever the two lie. A place in it is
// called a step, and goes from 0 to the sum of the tensors' lengths.
type order struct {
	tensors []extent // by offset
	named   []int    // indexes of tensors, by name
}

// extent is where a tensor lies.
type extent struct {
	begin, end int64
	step       int64 // of its first byte
	rank       int   // its index in named
}

// meets reports whether some of [off, end) is in the tensor.
func (t extent) meets(off, end int64) bool { return off < t.end && end > t.begin }

// newOrder gives the order of a file's tensors; nil if it is that of the file.
func newOrder(tensors []safetensors.Tensor) *order {
	o := &order{tensors: make([]extent, len(tensors)), named: make([]int, len(tensors))}
	for i, t := range tensors {
		o.tensors[i] = extent{begin: t.Begin, end: t.End}
		o.named[i] = i
	}
	slices.SortStableFunc(o.named, func(a, b int) int { return cmp.Compare(tensors[a].Name, tensors[b].Name) })
	if slices.IsSorted(o.named) {
		return nil
	}
	var step int64
	for rank, i := range o.named {
		t := &o.tensors[i]
		t.step, t.rank = step, rank
		step += t.end - t.begin
	}
	return o
}

// first gives the index of the first tensor that ends behind off.
func (o *order) first(off int64) int {
	return sort.Search(len(o.tensors), func(i int) bool { return o.tensors[i].end > off })
}

// before reports whether a reader that is about at offset next may have come
// to the end of what precedes tensor i by name, and that does not lie just
// before it in the file.
func (o *order) before(i int, near func(end int64) bool) bool {
	var skipped int64
	for rank := o.tensors[i].rank - 1; rank >= 0 && skipped <= maxSkipped; rank-- {
		t := o.tensors[o.named[rank]]
		if t.end == o.tensors[i].begin {
			return false
		}
		if near(t.end) {
			return true
		}
		skipped += t.end - t.begin
	}
	return false
}

// parts gives where in the file the steps [from, to) lie, in their order, with what is
// read around them where a reader has to hop.
func (o *order) parts(from, to int64, m margin) (parts []extent) {
	for rank := o.rank(from); rank < len(o.named) && from < to; rank++ {
		t := o.tensors[o.named[rank]]
		begin := t.begin + from - t.step
		end := min(t.end, begin+to-from)
		from += end - begin
		if begin == t.begin && o.hopsTo(rank) {
			begin = max(0, begin-m.before)
		}
		if end == t.end && o.hopsTo(rank+1) {
			end = min(end+m.behind, o.tensors[len(o.tensors)-1].end)
		}
		if begin < end {
			parts = append(parts, extent{begin: begin, end: end})
		}
	}
	return parts
}

// rank gives the rank of the tensor that a step is in.
func (o *order) rank(step int64) int {
	return sort.Search(len(o.named), func(r int) bool {
		t := o.tensors[o.named[r]]
		return t.step+t.end-t.begin > step
	})
}

// rest gives how many bytes lie between a step, which is not the first, and the end of
// the chunk or of the tensor that the byte before it is in; 0 beyond the last step.
func (o *order) rest(step int64, chunkEnd func(int64) int64) int64 {
	rank := o.rank(step - 1)
	if rank == len(o.named) {
		return 0
	}
	t := o.tensors[o.named[rank]]
	off := t.begin + step - t.step
	return min(chunkEnd(off-1), t.end) - off
}

// within gives the last of the steps [from, to] up to which no more than room bytes are
// to be read, with what is read around tensors: many small ones have that many times.
func (o *order) within(from, to, room int64, m margin) int64 {
	for rank := o.rank(from) + 1; rank < len(o.named); rank++ {
		next := o.tensors[o.named[rank]].step
		if next >= to || next-from >= room {
			break
		}
		if o.hopsTo(rank) {
			if room -= m.before + m.behind; next-from >= room {
				return next
			}
		}
	}
	return min(to, from+room)
}

// leap gives where a reader at off that goes by name goes elsewhere, or end: the end
// of the tensor there, or of the last of those that follow it both by name and in the
// file.
func (o *order) leap(off, end int64) int64 {
	i := o.first(off)
	for o.goesOn(i) {
		i++
	}
	if i+1 >= len(o.tensors) {
		return end
	}
	return o.tensors[i].end
}

// goesOn reports whether the tensor that follows tensor i in the file does by name, too.
func (o *order) goesOn(i int) bool {
	return i+1 < len(o.tensors) && o.tensors[i+1].rank == o.tensors[i].rank+1
}

// hopsTo reports whether the tensor of that rank lies elsewhere than behind the one
// before it by name.
func (o *order) hopsTo(rank int) bool {
	return rank > 0 && rank < len(o.named) && o.tensors[o.named[rank-1]].end != o.tensors[o.named[rank]].begin
}

// queueOrder has a worker learn the order.
func (n *archiveNode) queueOrder() {
	n.fs.pool.later(work{func() {
		if err := n.learnOrder(n.fs.life); err != nil {
			n.fs.faults.errno(n.file, n.path, err)
		}
	}, &n.stalled})
}

// learnOrder reads the header of n's original, should it be a safetensors file,
// and tells the streams in which order its tensors may be read. It is for a
// worker: the header is decoded for it.
func (n *archiveNode) learnOrder(ctx context.Context) error {
	r, err := n.acquire(ctx)
	if err != nil {
		return err
	}
	defer n.release()
	header, err := n.safetensorsHeader(ctx, r)
	if err != nil || header == nil {
		return err
	}
	h, err := safetensors.Parse(bytes.NewReader(header), r.Size())
	if err != nil {
		return nil // it is of another kind
	}
	n.streams.setOrder(newOrder(h.Tensors))
	return nil
}

// safetensorsHeader gives what would be the header with its length in front;
// nil if it is too long for that, or for us.
func (n *archiveNode) safetensorsHeader(ctx context.Context, r *archive.Reader) ([]byte, error) {
	const lengthLen = 8
	if r.Size() < lengthLen {
		return nil, nil
	}
	var length [lengthLen]byte
	if err := n.copyAt(ctx, r, length[:], 0); err != nil {
		return nil, err
	}
	size := binary.LittleEndian.Uint64(length[:])
	if size > maxOrderHeader || int64(size) > r.Size()-lengthLen {
		return nil, nil
	}
	header := make([]byte, lengthLen+size)
	return header, n.copyAt(ctx, r, header, 0)
}

// copyAt fills dest from offset off of the original.
func (n *archiveNode) copyAt(ctx context.Context, r *archive.Reader, dest []byte, off int64) error {
	pieces, next, err := n.locate(ctx, r, off, off+int64(len(dest)))
	if err != nil {
		return err
	}
	_, err = n.gather(ctx, r, dest, off, pieces, next)
	return err
}
