package codec

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

func huffmanSource(r *rand.Rand, counts []uint32, n int) []byte {
	var pick []byte
	f := fitFrequencies(counts)
	for s, v := range f {
		pick = append(pick, bytes.Repeat([]byte{byte(s)}, int(v))...)
	}
	src := make([]byte, n)
	for i := range src {
		src[i] = pick[r.IntN(len(pick))]
	}
	return src
}

func gatherHuffman(d *huffmanDecoder, n int) []byte {
	var got []byte
	for len(got) < n {
		got = append(got, d.read(min(d.avail(), n-len(got)))...)
	}
	return got
}

func TestHuffman(t *testing.T) {
	eachBackend(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(15, 16))
		var e huffmanEncoder
		var d huffmanDecoder
		for i := range 200 {
			counts := randomCounts(r)
			n := r.IntN(5000)
			if i%10 == 0 {
				n = r.IntN(200000)
			}
			src := huffmanSource(r, counts, n)
			limit := 11 + i%2
			c := fitCodeLengths(counts, limit)
			e.init(c)
			table := newHuffmanTable(c)
			for streams := uint(0); streams <= maxHuffmanStreamsLog2; streams++ {
				coded := guarded(t, e.encode(nil, src, streams))
				if err := d.init(table, streams, n, coded); err != nil {
					t.Fatalf("%d symbols, 2^%d streams: %v", n, streams, err)
				}
				if !bytes.Equal(gatherHuffman(&d, n), src) {
					t.Fatalf("%d symbols, 2^%d streams differ", n, streams)
				}
			}
		}
	})
}
