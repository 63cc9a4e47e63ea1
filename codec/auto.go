package codec

import "math"

// The method auto: scape, or for a chunk that it does not suit one of the others.
// Most chunks are noise below their upper bits and give no reason to look further;
// those that do are coded again, and the smaller is taken.

// settle replaces what scape made of data by what another method makes of it,
// where that is smaller.
func (e *Encoder) settle(data []byte, elem Elem) (method Method) {
	method = Scape
	start := mark{stored: -1}
	for _, m := range e.others(data, elem) {
		before, size := e.keep(start), e.size()
		e.reset()
		e.encodePlainly(m, data, elem)
		if !worthIt(e.size(), size) {
			e.rewind(start)
			e.restore(before)
			continue
		}
		method = m
	}
	if e.size() >= len(data) {
		e.reset()
		e.encodePlainly(Raw, data, elem)
		return Raw
	}
	return method
}

// worthIt tells whether size is smaller than by scape, and not only by chance:
// others have longer blocks, or decode more slowly.
func worthIt(size, scape int) bool { return size+size/4096 < scape }

// others lists the methods that may make data smaller than scape did.
func (e *Encoder) others(data []byte, elem Elem) (list []Method) {
	if e.fast() {
		return nil
	}
	if m, ok := contextsFor(elem); ok && lowBitsTell(data) {
		list = append(list, m)
	}
	if 2*e.zstdBytes() > len(data) {
		// Blocks of a whole chunk find more that repeats itself.
		list = append(list, Zstd19)
		if elem.Width > 1 {
			list = append(list, Zstd19ByteGrouped)
		}
	}
	return list
}

// contextsFor gives the method that conditions mantissas of elements elem.
func contextsFor(elem Elem) (Method, bool) {
	switch elem {
	case BF16:
		return BF16SplitCtx, true
	case F16:
		return FP16SplitCtx, true
	}
	return 0, false
}

// zstdBytes is how many bytes of the chunk are in blocks by zstd.
func (e *Encoder) zstdBytes() (n int) {
	for i := range e.blocks {
		if b := &e.blocks[i]; e.models[b.model].streams[0].coder == coderZstd {
			n += b.Len
		}
	}
	return n
}

const (
	lowBits      = 3       // of the mantissa that are looked at
	lowSamples   = 1 << 14 // elements, spread evenly
	lowSamplesAt = 64      // together
	// noiseBits is how much the low bits may miss of being noise for scape to lose
	// nothing that matters by leaving them raw.
	noiseBits = 0.005
)

// lowBitsTell tells whether the lowest bits of 16-bit floats are more than noise,
// as where weights were rounded once.
func lowBitsTell(data []byte) bool {
	var counts [1 << lowBits]uint32
	n := len(data) / 2
	step := max(n/(lowSamples/lowSamplesAt), lowSamplesAt)
	seen := 0
	for at := 0; at < n; at += step {
		for i := at; i < min(at+lowSamplesAt, n); i++ {
			counts[data[2*i]&(1<<lowBits-1)]++
			seen++
		}
	}
	bias := float64(len(counts)-1) / (2 * math.Ln2) // what chance takes off
	return entropyBits(counts[:])+4*bias < (lowBits-noiseBits)*float64(seen)
}
