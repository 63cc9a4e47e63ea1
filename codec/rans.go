package codec

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"unsafe"
)

// Static rANS (J. Duda, "Asymmetric numeral systems", arXiv:1311.2540) over
// interleaved lanes (F. Giesen, "Interleaved entropy coders",
// arXiv:1402.3392): states of 32 bits in [ransLow, 2^32), renormalised by
// words of 16 bits. Symbol i belongs to lane i mod lanes; all lanes share one
// stream of words, in the order in which the decoder takes them.
const (
	ransLow      = 1 << 16
	minLanesLog2 = 2
	maxLanesLog2 = 6
	maxLanes     = 1 << maxLanesLog2
)

// ransTable is what a decoder looks up by the low ransBits of a state: the
// frequency in bits 0-11, the slot's distance from the symbol's first one in
// bits 12-23, and the symbol in bits 24-31.
type ransTable [ransTotal]uint32

func newRANSTable(f frequencies) *ransTable {
	t := new(ransTable)
	t.fill(f)
	return t
}

func (t *ransTable) fill(f frequencies) {
	done, filled := ransTableVector(t, f)
	left := t[filled:]
	for s, v := range f[done:] {
		run := left[:v]
		left = left[v:]
		e := uint32(v) | uint32(done+s)<<24
		for i := range run {
			run[i] = e
			e += 1 << 12
		}
	}
}

// lanesFor is the number of lanes, as a power of two, for symbols that take so
// many bits in so many blocks. A lane costs about three bytes: 3 % of them at
// most, 0.2 % at the level Small. Fewer decode more slowly.
func lanesFor(cost, blocks float64, level Level) uint {
	perLane := 112.0 // bytes
	if level == Small {
		perLane = 1760
	}
	lanes := max(min(cost/8/blocks/perLane, maxLanes), 1<<minLanesLog2)
	return uint(bits.Len(uint(lanes))) - 1
}

// setLanes gives s the lanes for symbols that take so many bits in so many
// blocks, and tells the bits that these take.
func (s *stream) setLanes(cost, blocks float64, level Level) float64 {
	s.lanesLog2 = lanesFor(cost, blocks, level)
	return float64(uint(24)<<s.lanesLog2) * blocks
}

// ransDecoder decodes one stream, any number of symbols at a time as long as
// it is a multiple of the lanes, but for the last.
type ransDecoder struct {
	table *ransTable
	words []byte
	pos   int
	lanes int
	state [maxLanes]uint32
}

func (d *ransDecoder) init(table *ransTable, lanesLog2 uint, src []byte) error {
	d.table, d.lanes = table, 1<<lanesLog2
	head := 4 * d.lanes
	if len(src) < head || (len(src)-head)%2 != 0 {
		return fmt.Errorf("%w: rANS stream of %d bytes", ErrCorrupt, len(src))
	}
	for i := range d.lanes {
		d.state[i] = binary.LittleEndian.Uint32(src[4*i:])
		if d.state[i] < ransLow {
			return fmt.Errorf("%w: rANS state below its range", ErrCorrupt)
		}
	}
	d.words, d.pos = src[head:], 0
	return nil
}

// read decodes the next symbols. ahead is where their elements will be written.
func (d *ransDecoder) read(dst, ahead []byte) error {
	done := ransDecodeVector(d, dst, ahead)
	done += d.readGroups(dst[done:])
	for i := done; i < len(dst); i++ {
		var err error
		if dst[i], err = d.step(d.table, i); err != nil {
			return err
		}
	}
	return nil
}

// step decodes symbol i of a call to read, with a look at whether there is a
// word left to take.
func (d *ransDecoder) step(table *ransTable, i int) (symbol byte, err error) {
	lane := i & (d.lanes - 1)
	x := d.state[lane]
	e := table[x&(ransTotal-1)]
	x = x>>ransBits*(e&0xfff) + e>>12&0xfff
	if x < ransLow {
		if d.pos+2 > len(d.words) {
			return 0, fmt.Errorf("%w: rANS stream cut short", ErrCorrupt)
		}
		x = x<<16 | uint32(binary.LittleEndian.Uint16(d.words[d.pos:]))
		d.pos += 2
	}
	d.state[lane] = x
	return byte(e >> 24), nil
}

// readGroups decodes whole groups of lanes while the words left suffice for
// every lane to take one, and one more, so that no pointer leaves them. It
// returns the number of symbols decoded.
func (d *ransDecoder) readGroups(dst []byte) int {
	table := d.table
	lanes := uintptr(d.lanes)
	groups := 0
	for len(dst) >= d.lanes && len(d.words)-d.pos > 2*d.lanes {
		first := unsafe.Pointer(&d.words[d.pos])
		p, out := first, unsafe.Pointer(&dst[0])
		for l := uintptr(0); l < lanes; l += 4 {
			s := (*[4]uint32)(unsafe.Add(unsafe.Pointer(&d.state), 4*l))
			o := (*[4]byte)(unsafe.Add(out, l))
			s[0], o[0], p = ransStep(table, s[0], p)
			s[1], o[1], p = ransStep(table, s[1], p)
			s[2], o[2], p = ransStep(table, s[2], p)
			s[3], o[3], p = ransStep(table, s[3], p)
		}
		d.pos += int(uintptr(p) - uintptr(first))
		dst = dst[d.lanes:]
		groups++
	}
	return groups * d.lanes
}

// ransStep decodes a lane's next symbol from its state x, and takes a word at
// p if the state needs one: without a branch, as that is not predictable.
func ransStep(table *ransTable, x uint32, p unsafe.Pointer) (uint32, byte, unsafe.Pointer) {
	e := table[x&(ransTotal-1)]
	x = x>>ransBits*(e&0xfff) + e>>12&0xfff
	y := x<<16 | uint32(load16(p))
	p = unsafe.Add(p, (uint64(x)-ransLow)>>63<<1)
	if x < ransLow {
		x = y
	}
	return x, byte(e >> 24), p
}

// load16 reads a little-endian word; the caller has checked the bounds.
func load16(p unsafe.Pointer) uint16 {
	return binary.LittleEndian.Uint16((*[2]byte)(p)[:])
}

// close checks that the stream ended where its encoder began.
func (d *ransDecoder) close() error {
	switch left := len(d.words) - d.pos; {
	case left < 0:
		return fmt.Errorf("%w: rANS stream cut short", ErrCorrupt)
	case left > 0:
		return fmt.Errorf("%w: %d bytes after the rANS stream", ErrCorrupt, left)
	}
	for _, x := range d.state[:d.lanes] {
		if x != ransLow {
			return fmt.Errorf("%w: rANS state astray", ErrCorrupt)
		}
	}
	return nil
}
