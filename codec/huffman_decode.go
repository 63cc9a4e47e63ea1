package codec

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// huffmanLanes is the state of streams that are decoded side by side. The
// kernels take every field on; offsets are from the start of the block's coded
// bytes and of the decoder's scratch.
type huffmanLanes struct {
	// window holds the 8 bytes at in, but for the bits decoded since: the next
	// bit is the lowest, and where the last one was stands a bit that is set,
	// so that the zeros above it count the bits decoded.
	window [maxHuffmanStreams]uint64
	in     [maxHuffmanStreams]int
	out    [maxHuffmanStreams]int // the next symbol goes below
}

// A kernel's step, for each lane: as many look-ups as the window is good for,
// then a window filled anew.
const (
	maxStepBytes = 7 // that in moves by at most
	windowBytes  = 8 // that are read at in
	storeBytes   = 8 // that are written below out by a look-up
)

// lookups is the number of look-ups in a step: 56 bits at least are in a
// window.
func (t *huffmanTable) lookups() int {
	if t.bits == shortIndex {
		return 5
	}
	return 4
}

// steps is a number of steps that leaves lane k with its window within size
// coded bytes, and everything written at or above low.
func (l *huffmanLanes) steps(k, size, low, lookups int) int {
	in := (size - windowBytes - l.in[k]) / maxStepBytes
	out := (l.out[k] - low - storeBytes) / (lookups * maxEntrySymbols)
	return min(in, out)
}

// refill moves lane k's window on to what was not decoded. Beyond the end of
// src it reads zeros.
func (l *huffmanLanes) refill(k int, src []byte) {
	n := bits.LeadingZeros64(l.window[k])
	l.in[k] += n >> 3
	l.window[k] = loadWindow(src, l.in[k]) >> (n & 7)
}

// windowEnd marks the end of a window just read.
const windowEnd = 1 << 63

func loadWindow(src []byte, at int) uint64 {
	if at+windowBytes <= len(src) {
		return binary.LittleEndian.Uint64(src[at:]) | windowEnd
	}
	var b [windowBytes]byte
	if at < len(src) {
		copy(b[:], src[at:])
	}
	return binary.LittleEndian.Uint64(b[:]) | windowEnd
}

// huffmanDecoder decodes the block of one stream at once, and then gives it
// out a sub-tile at a time.
type huffmanDecoder struct {
	deal    huffmanDeal
	symbols []byte // scratch: the symbols of stream 0, then of stream 1, ...
	from    [maxHuffmanStreams + 1]int
	lanes   huffmanLanes // lane k for stream k

	repeated huffmanLanes // scratch of step

	next, used int // sub-tile, and how much of it was given out
}

// init decodes n symbols coded as src, and asks for what is ahead.
func (d *huffmanDecoder) init(t *huffmanTable, streamsLog2 uint, n int, src []byte, ahead lookahead) error {
	d.deal = dealHuffman(n, streamsLog2)
	d.next, d.used = 0, 0
	src, ends, err := cutHuffman(src, d.deal.streams)
	if err != nil {
		return err
	}
	if cap(d.symbols) < n {
		d.symbols = make([]byte, n)
	}
	d.symbols = d.symbols[:n]
	in := 0
	for k := range d.deal.streams {
		d.from[k+1] = d.from[k] + d.deal.symbolsOf(k)
		d.lanes.in[k], d.lanes.out[k], d.lanes.window[k] = in, d.from[k+1], loadWindow(src, in)
		in = ends[k]
	}
	d.decodeSteps(t, src, &ahead)
	for k := range d.deal.streams {
		d.finish(t, k, src)
		if err := d.check(k, src[:ends[k]]); err != nil {
			return err
		}
	}
	return nil
}

// worthSteps is for how many steps of one stream a kernel beats finish.
const worthSteps = 4

// decodeSteps decodes as much as kernels are worth.
func (d *huffmanDecoder) decodeSteps(t *huffmanTable, src []byte, ahead *lookahead) {
	var todo [maxHuffmanStreams]int // streams that are good for another step
	n := d.deal.streams
	for k := range n {
		todo[k] = k
	}
	for {
		least, most, left := len(src), 0, 0
		for _, k := range todo[:n] {
			if steps := d.lanes.steps(k, len(src), d.from[k], t.lookups()); steps > 0 {
				least, most = min(least, steps), max(most, steps)
				todo[left] = k
				left++
			}
		}
		if n = left; most < worthSteps {
			return
		}
		d.step(t, src, todo[:n], least, ahead)
	}
}

// step takes the streams todo, at least one, a number of steps on.
func (d *huffmanDecoder) step(t *huffmanTable, src []byte, todo []int, steps int, ahead *lookahead) {
	run := &d.lanes
	if len(todo) < maxHuffmanStreams {
		// A lane without a stream repeats another's: it writes the same bytes to
		// the same place.
		run = &d.repeated
		for lane := range maxHuffmanStreams {
			run.copy(lane, &d.lanes, todo[lane%len(todo)])
		}
	}
	if !huffmanDecodeVector(t, run, d.symbols, src, len(todo), steps, ahead) {
		for first := 0; first < len(todo); first += huffmanGoLanes {
			huffmanDecodeGo(t, run, d.symbols, src, steps, first)
		}
	}
	if run != &d.lanes {
		for lane, k := range todo {
			d.lanes.copy(k, run, lane)
		}
	}
}

// copy sets a lane to lane k of from.
func (l *huffmanLanes) copy(lane int, from *huffmanLanes, k int) {
	l.window[lane], l.in[lane], l.out[lane] = from.window[k], from.in[k], from.out[k]
}

// finish decodes what is left of stream k.
func (d *huffmanDecoder) finish(t *huffmanTable, k int, src []byte) {
	l := &d.lanes
	dst := d.symbols[d.from[k]:l.out[k]]
	mask := uint64(1)<<t.bits - 1
	for len(dst) > 0 {
		l.refill(k, src)
		w := l.window[k]
		for i := t.lookups(); i > 0 && len(dst) > 0; i-- {
			e := t.entries[w&mask]
			n := int(e >> 8 & 255)
			if n > len(dst) {
				// The bits are not all this stream's.
				e, n = e&^255|uint64(t.bitsOf(e, len(dst))), len(dst)
			}
			w >>= e & 63
			if len(dst) >= storeBytes {
				binary.LittleEndian.PutUint64(dst[len(dst)-8:], e)
			} else {
				for j := range n {
					dst[len(dst)-1-j] = byte(e >> (56 - 8*j))
				}
			}
			dst = dst[:len(dst)-n]
		}
		l.window[k] = w
	}
	l.refill(k, src)
}

// check finds out whether stream k, after its last symbol, is at the end of
// part, with zeros as padding.
func (d *huffmanDecoder) check(k int, part []byte) error {
	l := &d.lanes
	in, used := l.in[k], bits.LeadingZeros64(l.window[k])
	if used > 0 && in < len(part) && part[in]>>used == 0 {
		in, used = in+1, 0
	}
	if in != len(part) || used != 0 {
		return fmt.Errorf("%w: Huffman stream %d does not end with its last symbol", ErrCorrupt, k)
	}
	return nil
}

// avail is how many of the next symbols stand in one piece.
func (d *huffmanDecoder) avail() int {
	from, to := d.deal.subTile(d.next/d.deal.streams, d.next%d.deal.streams)
	return to - from - d.used
}

// read gives the next n symbols, at most avail.
func (d *huffmanDecoder) read(n int) []byte {
	round, k := d.next/d.deal.streams, d.next%d.deal.streams
	at := d.from[k] + round*huffmanSubTile + d.used
	d.used += n
	if d.avail() == 0 {
		d.next, d.used = d.next+1, 0
	}
	return d.symbols[at : at+n]
}
