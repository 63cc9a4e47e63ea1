package codec

import "encoding/binary"

// A dictionary is made of the segments of some samples that hold most of what
// other samples hold as well (after FASTCOVER of zstd).

// samples are pieces of chunks, spread evenly over all that were seen.
type samples struct {
	pieces [][]byte
	every  int // one piece of so many is kept
	seen   int
}

const (
	sampleLenMost = 64 << 10
	maxSamples    = 256

	coverLen     = 8  // bytes that are looked for together
	coverBits    = 20 // of their hashes
	coverSegment = 64 // bytes of a segment
)

// add keeps the beginning of data, or not.
func (s *samples) add(data []byte) {
	s.every = max(s.every, 1)
	if s.seen++; (s.seen-1)%s.every != 0 {
		return
	}
	s.pieces = append(s.pieces, append([]byte(nil), data[:min(len(data), sampleLenMost)]...))
	if len(s.pieces) < 2*maxSamples {
		return
	}
	for i := range maxSamples {
		s.pieces[i] = s.pieces[2*i]
	}
	clear(s.pieces[maxSamples:])
	s.pieces, s.every = s.pieces[:maxSamples], 2*s.every
}

// dictionary puts up to size bytes together: the best segment of each of as many
// stretches as it has room for.
func (s *samples) dictionary(size int) []byte {
	counts := s.cover()
	total := 0
	for _, p := range s.pieces {
		total += len(p)
	}
	if total <= size {
		size = total
	}
	segments := max(size/coverSegment, 1)
	dict := make([]byte, 0, size)
	// Each stretch of the samples gives its best segment.
	stretch := max(total/segments, coverSegment)
	for _, p := range s.pieces {
		for len(p) >= coverLen && len(dict) < size {
			part := p[:min(stretch, len(p))]
			p = p[len(part):]
			best := bestSegment(part, counts)
			forget(best, counts)
			dict = append(dict, best[:min(len(best), size-len(dict))]...)
		}
	}
	return dict
}

// cover counts in how many samples what coverLen bytes hash to occurs, beyond
// the first.
func (s *samples) cover() []uint16 {
	counts := make([]uint16, 1<<coverBits)
	last := make([]uint16, 1<<coverBits) // 1 + the sample that counted last
	for k, p := range s.pieces {
		for ; len(p) >= coverLen; p = p[1:] {
			h := coverHash(p)
			if last[h] != 0 && last[h] != uint16(k+1) {
				counts[h]++
			}
			last[h] = uint16(k + 1)
		}
	}
	return counts
}

func coverHash(p []byte) uint64 {
	return binary.LittleEndian.Uint64(p) * 0x9e3779b97f4a7c15 >> (64 - coverBits)
}

// bestSegment gives the coverSegment bytes of p that occur most elsewhere, the
// first of equals.
func bestSegment(p []byte, counts []uint16) []byte {
	if len(p) <= coverSegment {
		return p
	}
	const window = coverSegment - coverLen + 1
	score, best, at := 0, -1, 0
	for i := range len(p) - coverLen + 1 {
		score += int(counts[coverHash(p[i:])])
		if i >= window {
			score -= int(counts[coverHash(p[i-window:])])
		}
		if i >= window-1 && score > best {
			best, at = score, i-window+1
		}
	}
	return p[at : at+coverSegment]
}

// forget leaves out of counts what p has: once in the dictionary is enough.
func forget(p []byte, counts []uint16) {
	for ; len(p) >= coverLen; p = p[1:] {
		counts[coverHash(p)] = 0
	}
}
