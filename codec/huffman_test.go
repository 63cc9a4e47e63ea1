//go:build unix

package codec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/zeebo/xxh3"
)

// symbolsLike makes n symbols about as frequent as counts say.
func symbolsLike(r *rand.Rand, counts []uint32, n int) []byte {
	var pick []byte
	for s, v := range fitFrequencies(counts) {
		pick = append(pick, bytes.Repeat([]byte{byte(s)}, int(v))...)
	}
	src := make([]byte, n)
	for i := range src {
		src[i] = pick[r.IntN(len(pick))]
	}
	return src
}

// readAll gives the n symbols of a decoder, in pieces of all lengths that it
// allows.
func (d *huffmanDecoder) readAll(n int) []byte {
	var all []byte
	for i := 1; len(all) < n; i++ {
		piece := min(d.avail(), n-len(all))
		if i%3 == 0 && piece > maxGroup {
			piece = maxGroup
		}
		all = append(all, d.read(piece)...)
	}
	return all
}

// huffmanReference is the encoder of docs/format.md, a bit at a time.
func huffmanReference(e *huffmanEncoder, src []byte, streamsLog2 uint) (coded []byte) {
	deal := dealHuffman(len(src), streamsLog2)
	var all []byte
	for k := range deal.streams {
		var w bitWriter
		for round := deal.rounds; round >= 0; round-- {
			from, to := deal.subTile(round, k)
			for i := to - 1; i >= from; i-- {
				length := uint(e.codes[src[i]] & 63)
				w.write(uint32(e.codes[src[i]]>>(64-length)), length)
			}
		}
		stream := w.close()
		if k < deal.streams-1 {
			coded = binary.AppendUvarint(coded, uint64(len(stream)))
		}
		all = append(all, stream...)
	}
	return append(coded, all...)
}

func guardedCopyBelow(t *testing.T, b []byte) []byte {
	below := guardedBelow(t, len(b))
	copy(below, b)
	return below
}

func TestHuffman(t *testing.T) {
	eachBackend(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(15, 16))
		var e huffmanEncoder
		for i := range 240 {
			counts := randomCounts(r)
			n := []int{i, r.IntN(5000), 30000 + r.IntN(10000), r.IntN(300000)}[max(0, i-200)%4*(i/200)]
			c := fitCodeLengths(counts, 11+i%2)
			src := symbolsLike(r, counts, n)
			e.init(c)
			src = guarded(t, src)
			for streams := range uint(maxHuffmanStreamsLog2 + 1) {
				// No less than encode makes, or it would make its own.
				e.bits = guarded(t, make([]byte, n*maxCodeLen/8+(huffmanSlack+1)<<streams))
				coded := e.encode(nil, src, streams)
				e.bits = guardedBelow(t, len(e.bits))
				if !bytes.Equal(e.encode(nil, guardedCopyBelow(t, src), streams), coded) {
					t.Fatalf("%d symbols, 2^%d streams: coded in two ways", n, streams)
				}
				if want := huffmanReference(&e, src, streams); !bytes.Equal(coded, want) {
					t.Fatalf("%d symbols, 2^%d streams: not what the definition makes", n, streams)
				}
				got, err := decodeGuarded(t, newHuffmanTable(c), streams, n, coded)
				if err != nil || !bytes.Equal(got, src) {
					t.Fatalf("%d symbols, 2^%d streams: %v, equal %v", n, streams, err, bytes.Equal(got, src))
				}
			}
		}
	})
}

// decodeGuarded decodes with coded bytes before, and symbols both before and
// after, a page that cannot be touched, and demands that this is all the same.
func decodeGuarded(t *testing.T, table *huffmanTable, streamsLog2 uint, n int, coded []byte) ([]byte, error) {
	t.Helper()
	src := guarded(t, coded)
	var symbols [2][]byte
	var errs [2]error
	for i, scratch := range [][]byte{guarded(t, make([]byte, n)), guardedBelow(t, n)} {
		d := huffmanDecoder{symbols: scratch}
		if errs[i] = d.init(table, streamsLog2, n, src, lookahead{}); errs[i] == nil {
			symbols[i] = d.readAll(n)
		}
	}
	if fmt.Sprint(errs[0]) != fmt.Sprint(errs[1]) || !bytes.Equal(symbols[0], symbols[1]) {
		t.Fatalf("decoded twice: %v, then %v", errs[0], errs[1])
	}
	return symbols[0], errs[0]
}

// The kernels must run where they should, and nowhere else.
func TestHuffmanKernelsRun(t *testing.T) {
	eachBackend(t, func(t *testing.T) {
		wanted := Backend() != backendNames[backendGo]
		for _, limit := range []int{2, 12} {
			counts := make([]uint32, 1<<limit)[:min(256, 1<<limit)]
			for i := range counts {
				counts[i] = 1 << max(0, 20-i)
			}
			table := newHuffmanTable(fitCodeLengths(counts, limit))
			for _, lanes := range []int{1, 4, 5, 8} {
				var l huffmanLanes
				for k := range l.out {
					l.out[k], l.window[k] = 1000, windowEnd
				}
				ahead := lookahead{make([]byte, 100), make([]byte, 1000)}
				if ran := huffmanDecodeVector(table, &l, make([]byte, 1000), make([]byte, 1000), lanes, 1, &ahead); ran != wanted {
					t.Errorf("backend %s, codes of up to %d bits: kernel ran: %v", Backend(), limit, ran)
				}
				if moved := len(ahead[0]) == 0 && len(ahead[1]) == 1000-4*64; moved != wanted {
					t.Errorf("backend %s: what is ahead moved on: %v", Backend(), moved)
				}
				if moved := l.out[lanes-1] < 1000; moved != wanted {
					t.Errorf("backend %s, codes of up to %d bits: symbols written: %v", Backend(), limit, moved)
				}
			}
		}
		j, _ := newJoining(&split{kind: splitTop, width: 2, raw: 7, sign: signRaw})
		if n := joinPackedVector(&j, make([]byte, 2*maxGroup), make([]byte, maxGroup), make([]byte, maxGroup), 7); (n == maxGroup) != wanted {
			t.Errorf("backend %s joined %d units", Backend(), n)
		}
	})
}

// Coded bytes that are not what an encoder wrote make no kernel leave its
// buffers, nor differ from pure Go.
func TestHuffmanOnDamage(t *testing.T) {
	type result struct {
		err string
		sum uint64
	}
	results := map[int]result{}
	eachBackend(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(17, 18))
		var e huffmanEncoder
		for i := range 300 {
			counts := randomCounts(r)
			c := fitCodeLengths(counts, 11+i%2)
			n := r.IntN(40000)
			streams := uint(i % 4)
			e.init(c)
			coded := e.encode(nil, symbolsLike(r, counts, n), streams)
			switch {
			case i%3 == 0 && len(coded) > 0:
				coded[r.IntN(len(coded))] ^= 1 << r.IntN(8)
			case i%3 == 1:
				coded = coded[:r.IntN(len(coded)+1)]
			default:
				n += r.IntN(2000) - 1000
			}
			got, err := decodeGuarded(t, newHuffmanTable(c), streams, max(n, 0), coded)
			if err != nil && !errors.Is(err, ErrCorrupt) {
				t.Fatalf("%v is of no known class", err)
			}
			now := result{fmt.Sprint(err), xxh3.Hash(got)}
			if before, ok := results[i]; ok && before != now {
				t.Fatalf("damage %d: %v, another backend says %v", i, now, before)
			}
			results[i] = now
		}
	})
}

// A stream must end with its last symbol, and be padded with zeros.
func TestHuffmanStreamEnds(t *testing.T) {
	c := codeLengths{1, 2, 2} // 0, 01, 11 as they are written
	table := newHuffmanTable(c)
	for _, test := range []struct {
		coded []byte
		n     int
		want  []byte // nil: corrupt
	}{
		{[]byte{}, 0, []byte{}},
		{[]byte{0b01_0_11_0}, 4, []byte{1, 0, 2, 0}},
		{[]byte{0b1_01_0_11_0}, 4, nil},
		{[]byte{0b01_0_11_0, 0}, 4, nil},
		{[]byte{0}, 0, nil},
		{[]byte{0b01_01_01_01, 0b01}, 5, []byte{1, 1, 1, 1, 1}},
		{[]byte{0b01_01_01_01}, 5, nil},
		{[]byte{}, 1, nil},
	} {
		got, err := decodeGuarded(t, table, 0, test.n, test.coded)
		if test.want == nil != errors.Is(err, ErrCorrupt) || !bytes.Equal(got, test.want) {
			t.Errorf("%d symbols of %08b: %v, %v", test.n, test.coded, got, err)
		}
	}
	for _, coded := range [][]byte{{}, {1}, {0x80}, {0x80, 0}} { // of lengths cut short, too long, not shortest
		if _, err := decodeGuarded(t, table, 1, 1, coded); !errors.Is(err, ErrCorrupt) {
			t.Errorf("two streams of %x: %v", coded, err)
		}
	}
}

// The example in docs/format.md.
func TestHuffmanExample(t *testing.T) {
	c := codeLengths{1, 2, 3, 3}
	if table := c.marshal(nil); !bytes.Equal(table, []byte{3, 0xdb, 0}) {
		t.Errorf("table %x", table)
	}
	var e huffmanEncoder
	e.init(c)
	src := []byte{0, 1, 0, 2, 0, 3, 0, 1, 0, 0, 1}
	for streams, want := range [][]byte{{0x91, 0x9b, 0}, {3, 0x91, 0x9b, 0}} {
		coded := e.encode(nil, src, uint(streams))
		if !bytes.Equal(coded, want) {
			t.Errorf("2^%d streams: coded as %x, want %x", streams, coded, want)
		}
	}
}

// Every symbol is dealt once, in pieces of whole groups.
func TestHuffmanDeal(t *testing.T) {
	for streams := range uint(maxHuffmanStreamsLog2 + 1) {
		for n := 0; n < 100000; n += 1 + n/9 {
			d := dealHuffman(n, streams)
			var each [maxHuffmanStreams]int
			at := 0
			for i := range (d.rounds + 1) * d.streams {
				from, to := d.subTile(i/d.streams, i%d.streams)
				if from != at || to < from || to > n || to < n && (to-from)%maxGroup != 0 {
					t.Fatalf("%d symbols: sub-tile %d is %d to %d", n, i, from, to)
				}
				each[i%d.streams] += to - from
				at = to
			}
			if at != n {
				t.Fatalf("%d symbols: %d dealt", n, at)
			}
			if all := each[:d.streams]; slices.Max(all)-slices.Min(all) >= 2*maxGroup {
				t.Fatalf("%d symbols: streams of %v", n, all)
			}
			for k := range d.streams {
				if each[k] != d.symbolsOf(k) {
					t.Fatalf("%d symbols: stream %d has %d, symbolsOf says %d", n, k, each[k], d.symbolsOf(k))
				}
			}
		}
	}
}

// huffmanCost is the number of bits that codes without a limit take.
func huffmanCost(counts []uint32) (cost float64) {
	var weights []float64
	for _, c := range counts {
		if c > 0 {
			weights = append(weights, float64(c))
		}
	}
	for len(weights) > 1 {
		slices.Sort(weights)
		weights[1] += weights[0]
		weights = weights[1:]
		cost += weights[0]
	}
	return cost
}

func TestFitCodeLengths(t *testing.T) {
	r := rand.New(rand.NewPCG(19, 20))
	exact := 0
	for range 300 {
		counts := randomCounts(r)
		best, before := huffmanCost(counts), math.Inf(1)
		for limit := 8; limit <= maxCodeLen; limit++ {
			c := fitCodeLengths(counts, limit)
			for s, l := range c {
				if l > 0 != (counts[s] > 0) || int(l) > limit {
					t.Fatalf("symbol %d counted %d times has a code of %d bits, limit %d", s, counts[s], l, limit)
				}
			}
			cost := c.cost(counts)
			if cost < best || cost > before {
				t.Fatalf("limit %d: %.0f bits, a bit less %.0f, without limit %.0f", limit, cost, before, best)
			}
			if before = cost; cost == best {
				exact++
			}
		}
	}
	if exact < 100 {
		t.Errorf("only %d codes are as good as those without limit", exact)
	}
}

func TestCodeLengthTables(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	for i := range 500 {
		c := fitCodeLengths(randomCounts(r), 8+i%5)
		table := c.marshal(nil)
		got, rest, err := readCodeLengths(append(slices.Clone(table), 1, 2, 3))
		if err != nil || !slices.Equal(got, c) || len(rest) != 3 {
			t.Fatalf("read back: %v, equal %v, %d bytes left", err, slices.Equal(got, c), len(rest))
		}
		if _, _, err := readCodeLengths(table[:len(table)-1]); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("a table cut short: %v", err)
		}
	}
	for _, c := range []codeLengths{{1}, {0}, {1, 2}, {1, 1, 1}, {2, 2, 2, 2, 12}, {1, 13, 13}, {0, 0}} {
		if _, _, err := readCodeLengths(c.marshal(nil)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("lengths %v: %v", c, err)
		}
	}
	padded := codeLengths{1, 1}.marshal(nil)
	padded[len(padded)-1] |= 0x80
	if _, _, err := readCodeLengths(padded); !errors.Is(err, ErrCorrupt) {
		t.Errorf("padding that is not zero: %v", err)
	}
}

func fastEncoder(blockLen int) *Encoder {
	e := NewEncoder(Scape, blockLen)
	e.SetLevel(Fast)
	return e
}

// Whatever an Encoder may be given, with Huffman codes.
func TestFastRoundTrip(t *testing.T) {
	eachBackend(t, func(t *testing.T) {
		e, small := fastEncoder(0), fastEncoder(4<<10)
		for name, elem := range testElems {
			if testing.Short() && elem != BF16 && elem != F32 {
				continue
			}
			for _, n := range []int{8, 120, 4088, 20000} {
				for kind, data := range testData(n) {
					roundTrip(t, e, data, elem, name+" "+kind)
				}
			}
		}
		all := gaussianBF16(600 << 10)
		roundTrip(t, e, all, BF16, "gaussian")
		for n := 2; n <= 40000; n += 2 + n/29*2 {
			roundTrip(t, small, all[:n], BF16, "gaussian")
		}
	})
}

// Gaussian weights take one mantissa bit into the symbol.
func TestFastChoice(t *testing.T) {
	data := gaussianBF16(4 << 20)
	enc, err := fastEncoder(0).Encode(data, BF16, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r := float64(len(data)) / float64(len(enc.Header)+len(enc.Payload)); r < 1.517 {
		t.Errorf("ratio %.4f, expected 1.517 or more", r)
	}
	c, err := ParseChunk(enc.Header, len(data))
	if err != nil {
		t.Fatal(err)
	}
	m := c.models[0]
	if s := &m.streams[0]; s.coder != coderHuffman || m.split.raw != 7 || s.lengths.longest() > shortIndex {
		t.Errorf("coder %d with %d raw bits and codes of up to %d bits", s.coder, m.split.raw, s.lengths.longest())
	}
	if got := m.marshal(nil); !bytes.Contains(enc.Header, got) {
		t.Error("the model parsed does not marshal back")
	}
}

// Every single flipped bit of a small chunk must be noticed, or do no harm.
func TestFastFlippedBits(t *testing.T) {
	data := gaussianBF16(1200)
	enc, err := fastEncoder(512).Encode(data, BF16, partsAt(300))
	if err != nil {
		t.Fatal(err)
	}
	flipBits(t, "fast", enc, data)
}

func FuzzCodeLengths(f *testing.F) {
	r := rand.New(rand.NewPCG(23, 24))
	for i := range 20 {
		f.Add(fitCodeLengths(randomCounts(r), 8+i%5).marshal(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, rest, err := readCodeLengths(b)
		if err != nil {
			if c != nil || rest != nil || !errors.Is(err, ErrCorrupt) {
				t.Fatal("a result beside an error, or one of no known class")
			}
			return
		}
		if again := c.marshal(nil); !bytes.Equal(again, b[:len(b)-len(rest)]) {
			t.Fatalf("%x marshals back to %x", b[:len(b)-len(rest)], again)
		}
		for i, e := range newHuffmanTable(c).entries {
			if n, used := e>>8&255, e&255; n < 1 || n > maxEntrySymbols || used < n || used > maxCodeLen {
				t.Fatalf("entry %d of %d symbols, %d bits", i, n, used)
			}
		}
	})
}

// FuzzHuffman decodes any bytes by any table, on every backend alike.
func FuzzHuffman(f *testing.F) {
	r := rand.New(rand.NewPCG(25, 26))
	var e huffmanEncoder
	for i := range 12 {
		counts := randomCounts(r)
		c := fitCodeLengths(counts, 11+i%2)
		e.init(c)
		src := symbolsLike(r, counts, 500*i*i)
		f.Add(c.marshal(nil), uint(i%4), len(src), e.encode(nil, src, uint(i%4)))
	}
	f.Fuzz(func(t *testing.T, lengths []byte, streamsLog2 uint, n int, coded []byte) {
		c, _, err := readCodeLengths(lengths)
		if err != nil || streamsLog2 > maxHuffmanStreamsLog2 || n < 0 || n > 1<<18 {
			return
		}
		table := newHuffmanTable(c)
		var want []byte
		var wantErr error
		for i, name := range Backends() {
			if err := SetBackend(name); err != nil {
				t.Fatal(err)
			}
			got, err := decodeGuarded(t, table, streamsLog2, n, coded)
			if i == 0 {
				want, wantErr = got, err
			}
			if fmt.Sprint(err) != fmt.Sprint(wantErr) || !bytes.Equal(got, want) {
				t.Fatalf("%s: %v, another backend says %v, equal %v", name, err, wantErr, bytes.Equal(got, want))
			}
		}
		if wantErr != nil {
			return
		}
		e.init(c)
		if again := e.encode(nil, want, streamsLog2); !bytes.Equal(again, coded) {
			t.Fatal("the symbols code to other bytes")
		}
	})
}
