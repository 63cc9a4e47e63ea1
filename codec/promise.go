package codec

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// sampleLen is how much of a run is tried, at most, before zstd codes all of it.
const sampleLen = 32 << 10

// sampleLen is less where speed counts.
func (l Level) sampleLen() int {
	if l == Small {
		return sampleLen
	}
	return sampleLen / 4
}

// planesShare estimates by a sample the share of its size that zstd makes of a
// run's planes, if that may be below most.
func (e *Encoder) planesShare(planes *split, data []byte, most float64) float64 {
	return e.sampleSize(planes, sampleOf(data, planes.width, e.level.sampleLen()), most)
}

// zstdMargin keeps from trying what by its entropy would hardly be smaller: zstd
// does not reach that.
const zstdMargin = 0.99

// zstdShare is the share of what another model takes that zstd must promise to
// stay below: it takes several times as long, both ways.
func (l Level) zstdShare() float64 {
	switch l {
	case Fast:
		return 0.9
	case Balanced:
		return 0.97
	}
	return 1
}

// trialGain is about how much smaller zstd at its strongest makes what repeats
// itself than the level that tries it.
const trialGain = 0.95

// sampleSize estimates the share of its size that zstd makes of the streams of
// a sample, if it may be below most.
func (e *Encoder) sampleSize(s *split, sample []byte, most float64) float64 {
	streams := e.apart.take(s, sample)
	repeats := e.repeats.any(e.level.telling(streams))
	if !repeats && (e.level != Small || entropyOf(streams) >= zstdMargin*most*float64(len(sample))) {
		return math.Inf(1)
	}
	size := 0
	for _, stream := range streams {
		e.trialled = e.trialEncoder().EncodeAll(stream, e.trialled[:0])
		size += len(e.trialled)
	}
	share := float64(size) / float64(len(sample))
	if repeats && e.level == Small {
		share *= trialGain
	}
	return share
}

// telling gives the planes that are looked at for repeats. Where speed counts the
// lower of two will do, which repeats nothing by chance.
func (l Level) telling(planes [][]byte) [][]byte {
	if l != Small && len(planes) == 2 {
		return planes[:1]
	}
	return planes
}

// entropyOf is the bytes that the streams take by their entropies: zstd makes
// them no smaller unless they repeat themselves. What a sample lacks of the
// entropy of all is estimated (G. Miller, "Note on the bias of information
// estimates", 1955).
func entropyOf(streams [][]byte) (size float64) {
	for _, s := range streams {
		var counts [256]uint32
		countBytes(&counts, s)
		bits := float64(len(s)) * math.Log2(float64(len(s)))
		used := -1
		for _, c := range counts {
			bits -= countLog2(c)
			used += used32(c)
		}
		size += (bits + float64(used)/(2*math.Ln2)) / 8
	}
	return size
}

// repeats finds bytes that occur again, cheaply.
type repeats struct {
	last [1 << repeatBits]uint64 // where a hash was last seen, below other bits of the hash
	base uint32                  // where this stream begins, in all that was looked at

	chosen [repeatStretch]uint16 // places to look at
}

const (
	repeatBits    = 12
	repeatLen     = 16   // bytes: fewer repeat by chance in a plane of exponents
	repeatSome    = 16   // one place of so many is looked at
	repeatAll     = 512  // bytes of which all places are looked at
	repeatStretch = 512  // places that are chosen from at a time
	repeatOnce    = 1024 // in how many places one repeat is too many for chance
)

// any tells whether a stream repeats itself in one of repeatOnce places or
// more.
func (r *repeats) any(streams [][]byte) bool {
	for _, s := range streams {
		if r.count(s)*repeatOnce > len(s) {
			return true
		}
	}
	return false
}

// count estimates the places at which the next repeatLen bytes are those of the
// last place with their hash. Of a long stream only places where the bytes
// themselves say so are looked at, one of up to repeatSome: they say the same
// wherever they occur.
func (r *repeats) count(b []byte) (found int) {
	if r.base == 0 || uint64(r.base)+uint64(len(b)) > math.MaxUint32 {
		r.last, r.base = [1 << repeatBits]uint64{}, 1
	}
	some := min(max(len(b)/repeatAll, 1), repeatSome)
	most := uint64(math.MaxUint64) / uint64(some)
	places := len(b) - repeatLen + 1
	for from := 0; from < places; from += repeatStretch {
		n := r.choose(b[from:], min(repeatStretch, places-from), most)
		for _, at := range r.chosen[:n] {
			found += r.look(b, from+int(at))
		}
	}
	r.base += uint32(len(b))
	return found * some
}

// firstHash decides by the first bytes of a place whether it is looked at.
func firstHash(b []byte) uint64 { return binary.LittleEndian.Uint64(b) * 0x9e3779b97f4a7c15 }

// choose lists those of the first n places whose firstHash is not above most, and
// gives how many they are. Nobody can foretell which, so there is no branch by it.
func (r *repeats) choose(b []byte, n int, most uint64) int {
	found := 0
	for i := 0; i < n && len(b) >= 8; i++ {
		_, above := bits.Sub64(most, firstHash(b), 0)
		b = b[1:]
		r.chosen[found&(repeatStretch-1)] = uint16(i)
		found += 1 - int(above)
	}
	return found
}

// look gives 1 if the bytes at place i are those of the last place with their
// hash.
func (r *repeats) look(b []byte, i int) (found int) {
	next := (*[repeatLen]byte)(b[i:])
	hash := (firstHash(next[:]) ^ binary.LittleEndian.Uint64(next[8:])) * 0xc2b2ae3d27d4eb4f
	last := &r.last[hash>>(64-repeatBits)]
	tag := hash << 32
	if at := uint32(*last) - r.base; *last&^math.MaxUint32 == tag && uint32(*last) >= r.base && *next == [repeatLen]byte(b[at:]) {
		found = 1
	}
	*last = tag | uint64(r.base+uint32(i))
	return found
}
