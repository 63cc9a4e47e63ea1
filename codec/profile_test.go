package codec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/zeebo/xxh3"
)

// testProfile has what every method needs of a profile.
var testProfile = sync.OnceValue(func() *Profile { return trainOn(1, 1<<10, gaussianBF16(1<<16), gaussianBF16(1<<15)) })

// newTestEncoder gives an Encoder for any method.
func newTestEncoder(m Method, blockLen int) *Encoder {
	e := NewEncoder(m, blockLen)
	e.SetProfile(testProfile())
	return e
}

// trainOn gives a profile of bf16 chunks.
func trainOn(k, dictionaryLen int, chunks ...[]byte) *Profile {
	t := NewTrainer()
	for _, c := range chunks {
		t.Add(c, BF16)
	}
	p, err := t.Profile(k, dictionaryLen)
	if err != nil {
		panic(err)
	}
	return p
}

// normalBF16 makes normal weights of that deviation.
func normalBF16(n int, seed uint64, deviation float64) []byte {
	r := rand.New(rand.NewPCG(seed, 9))
	b := make([]byte, 0, 2*n)
	for range n {
		b = binary.LittleEndian.AppendUint16(b, uint16(math.Float32bits(float32(r.NormFloat64()*deviation))>>16))
	}
	return b
}

func encodedBy(t *testing.T, m Method, p *Profile, data []byte) Encoded {
	t.Helper()
	e := NewEncoder(m, 0)
	e.SetProfile(p)
	enc, err := e.Encode(data, BF16, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.ParseChunk(enc.Header, len(data))
	if err != nil {
		t.Fatal(err)
	}
	out := make([]byte, len(data))
	for i := range c.NumBlocks() {
		b := c.Block(i)
		if err := c.Decode(i, out[b.Off:b.Off+b.Len], enc.Payload[b.StoredOff:b.StoredOff+b.StoredLen], nil); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(out, data) {
		t.Fatalf("%v: other bytes", m)
	}
	return enc
}

// With chunks of two kinds, two distributions serve each as well as one that is
// fitted to it, and one for both does not.
func TestMixtureTellsChunksApart(t *testing.T) {
	var chunks [][]byte
	for i := range uint64(20) {
		chunks = append(chunks, normalBF16(1<<15, i, 0.02), normalBF16(1<<15, 100+i, 3))
	}
	one, two := trainOn(1, 0, chunks...), trainOn(2, 0, chunks...)
	if one.Distributions() != 1 || two.Distributions() != 2 {
		t.Fatalf("%d and %d distributions", one.Distributions(), two.Distributions())
	}
	for _, deviation := range []float64{0.02, 3} {
		data := normalBF16(1<<19, 999, deviation)
		fitted := len(encodedBy(t, BF16Split, nil, data).Payload)
		pretrained := encodedBy(t, BF16SplitPretrained, one, data)
		mixture := encodedBy(t, BF16SplitMixture, two, data)
		if got := len(mixture.Payload); float64(got) > 1.003*float64(fitted) {
			t.Errorf("deviation %v: %d bytes by the mixture, %d by a distribution of its own", deviation, got, fitted)
		}
		if got := len(pretrained.Payload); float64(got) < 1.01*float64(fitted) {
			t.Errorf("deviation %v: %d bytes by one distribution for all, %d by its own", deviation, got, fitted)
		}
	}
	if n := len(encodedBy(t, BF16SplitMixture, two, chunks[0]).Header); n > 30 {
		t.Errorf("a header of %d bytes where the tables stand in the profile", n)
	}
}

// What the profile lacks is coded by tables of its own.
func TestProfileFallsBack(t *testing.T) {
	p := trainOn(1, 0, normalBF16(1<<15, 1, 0.02))
	data := normalBF16(1<<15, 2, 1e20)
	got, want := encodedBy(t, BF16SplitPretrained, p, data), encodedBy(t, BF16Split, nil, data)
	if got.Method != BF16SplitPretrained || !bytes.Equal(got.Payload, want.Payload) {
		t.Errorf("%d bytes by %v, want those of %v", len(got.Payload), got.Method, BF16Split)
	}
}

func TestDictionaryHelps(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	common := make([]byte, 2000)
	for i := range common {
		common[i] = byte(r.Uint32())
	}
	var chunks [][]byte
	for i := range uint64(8) {
		chunks = append(chunks, slices.Concat(common[:2000-i*10], normalBF16(500, i, 1)))
	}
	p := trainOn(0, 4<<10, chunks...)
	data := slices.Concat(common, normalBF16(100, 77, 1))
	with, without := encodedBy(t, Zstd19Dict, p, data), encodedBy(t, Zstd19, nil, data)
	if len(with.Payload) > len(without.Payload)/2 {
		t.Errorf("%d bytes with a dictionary, %d without", len(with.Payload), len(without.Payload))
	}
}

func TestProfileIsDeterministic(t *testing.T) {
	var chunks [][]byte
	for i := range uint64(30) {
		chunks = append(chunks, normalBF16(3000, i, math.Exp2(float64(i%7))))
	}
	a, b := trainOn(4, 2000, chunks...), trainOn(4, 2000, chunks...)
	if !bytes.Equal(a.Marshal(), b.Marshal()) {
		t.Error("the same chunks give another profile")
	}
	parsed, err := ParseProfile(a.Marshal())
	if err != nil || !bytes.Equal(parsed.Marshal(), a.Marshal()) {
		t.Errorf("parsed, it is another: %v", err)
	}
	if n := len(a.Marshal()) - a.DictionaryLen(); n > 1500 {
		t.Errorf("four distributions take %d bytes", n)
	}
}

// A Trainer takes as much memory for many chunks as for some, and forgets none.
func TestTrainerIsBounded(t *testing.T) {
	tr := NewTrainer()
	const chunks = 3*maxPoints + 5
	data := []byte{0x80, 0x3f, 0, 0xc0}
	for range chunks {
		tr.Add(data, BF16)
	}
	if len(tr.points) > maxPoints || len(tr.samples.pieces) >= 2*maxSamples {
		t.Errorf("%d points, %d samples", len(tr.points), len(tr.samples.pieces))
	}
	sum := uint32(0)
	all := tr.total()
	for _, c := range all.symbols {
		sum += c
	}
	if sum != 2*chunks {
		t.Errorf("%d weights of %d are counted", sum, 2*chunks)
	}
}

func TestTrainerOfTooLittle(t *testing.T) {
	for name, add := range map[string]func(*Trainer){
		"nothing":   func(*Trainer) {},
		"integers":  func(tr *Trainer) { tr.Add(make([]byte, 100), Int16) },
		"one value": func(tr *Trainer) { tr.Add(make([]byte, 100), BF16) },
	} {
		tr := NewTrainer()
		add(tr)
		if _, err := tr.Profile(2, 0); !errors.Is(err, ErrNothingToLearn) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewTrainer().Profile(0, 100); !errors.Is(err, ErrNothingToLearn) {
		t.Errorf("a dictionary of nothing: %v", err)
	}
	for _, n := range [][2]int{{-1, 0}, {MaxDistributions + 1, 0}, {1, MaxDictionaryLen + 1}, {1, -1}} {
		if _, err := NewTrainer().Profile(n[0], n[1]); err == nil {
			t.Errorf("%v was made", n)
		}
	}
}

// All exponents of both signs are more than an alphabet holds.
func TestTrainerOfAllExponents(t *testing.T) {
	var data []byte
	for v := range 1 << 9 {
		for range 1 + v%3 {
			data = binary.LittleEndian.AppendUint16(data, uint16(v)<<7)
		}
	}
	p := trainOn(1, 0, data)
	if n := len(p.alpha.list); n != maxSymbols {
		t.Errorf("an alphabet of %d", n)
	}
	if _, err := ParseProfile(p.Marshal()); err != nil {
		t.Error(err)
	}
	encodedBy(t, BF16SplitPretrained, p, data)
}

func TestProfileFor(t *testing.T) {
	one, four := trainOn(1, 100, gaussianBF16(4000)), &Profile{}
	four.alpha, four.distributions = one.alpha, slices.Repeat(one.distributions, 4)
	for _, c := range []struct {
		p  *Profile
		m  Method
		ok bool
	}{
		{nil, BF16Split, true}, {nil, Auto, true}, {nil, Zstd19Dict, false}, {nil, BF16SplitPretrained, false},
		{one, BF16SplitPretrained, true}, {one, BF16SplitMixture, true}, {one, Zstd19Dict, true},
		{four, BF16SplitPretrained, false}, {four, BF16SplitMixture, true}, {four, Zstd19Dict, false},
	} {
		part, err := c.p.For(c.m)
		if (err == nil) != c.ok || err != nil && !errors.Is(err, ErrNoProfile) {
			t.Errorf("%v of %d distributions: %v", c.m, c.p.Distributions(), err)
		}
		if err == nil && part != nil && part.DictionaryLen() > 0 && part.Distributions() > 0 {
			t.Errorf("%v carries what it does not need", c.m)
		}
		e := NewEncoder(c.m, 0)
		e.SetProfile(c.p)
		if _, err := e.Encode(gaussianBF16(100), BF16, nil); (err == nil) != c.ok {
			t.Errorf("%v of %d distributions encodes: %v", c.m, c.p.Distributions(), err)
		}
	}
}

// A chunk that was coded by a profile cannot be read without, or by less.
func TestChunkNeedsItsProfile(t *testing.T) {
	p := trainOn(1, 100, gaussianBF16(4000))
	dictionary, err := p.For(Zstd19Dict)
	if err != nil {
		t.Fatal(err)
	}
	data := gaussianBF16(4000)
	for _, m := range []Method{BF16SplitPretrained, BF16SplitMixture, Zstd19Dict} {
		enc := encodedBy(t, m, p, data)
		if _, err := ParseChunk(enc.Header, len(data)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%v without a profile: %v", m, err)
		}
		if _, err := dictionary.ParseChunk(enc.Header, len(data)); (err == nil) != (m == Zstd19Dict) {
			t.Errorf("%v with a dictionary alone: %v", m, err)
		}
	}
}

// resummed gives a profile whose bytes were changed its right sum.
func resummed(b []byte) []byte {
	b = b[:len(b)-profileSum]
	return binary.LittleEndian.AppendUint64(b, xxh3.Hash(b))
}

func TestProfileLimits(t *testing.T) {
	p := trainOn(1, 64, gaussianBF16(4000))
	good := p.Marshal()
	if _, err := ParseProfile(good); err != nil {
		t.Fatal(err)
	}
	for n := range good {
		if _, err := ParseProfile(good[:n]); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
	for bit := range 8 * len(good) {
		b := bytes.Clone(good)
		b[bit/8] ^= 1 << (bit % 8)
		if _, err := ParseProfile(b); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("bit %d: %v", bit, err)
		}
	}
	change := func(at int, v byte) []byte {
		b := bytes.Clone(good)
		b[at] = v
		return resummed(b)
	}
	if _, err := ParseProfile(change(4, profileVersion+1)); !errors.Is(err, ErrUnsupported) {
		t.Errorf("a later version: %v", err)
	}
	for name, b := range map[string][]byte{
		"too many distributions": change(5, MaxDistributions+1),
		"no distributions":       change(5, 0),
		"a byte behind":          resummed(append(bytes.Clone(good[:len(good)-profileSum]), make([]byte, 1+profileSum)...)),
		"its own alphabet":       change(6, byte(alphabetProfile)),
		"too long":               make([]byte, MaxProfileLen+1),
	} {
		if _, err := ParseProfile(b); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	most := &Profile{dict: newDictionary(make([]byte, MaxDictionaryLen))}
	if got, err := ParseProfile(most.Marshal()); err != nil || got.DictionaryLen() != MaxDictionaryLen {
		t.Errorf("the longest dictionary: %v", err)
	}
}

// FuzzProfile: what parses marshals to the same bytes, and codes or refuses.
func FuzzProfile(f *testing.F) {
	for k := range 3 {
		f.Add(trainOn(k, 64, normalBF16(500, 1, 1), normalBF16(500, 2, 0.01)).Marshal())
	}
	data := gaussianBF16(600)
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < profileSum {
			return
		}
		b = resummed(bytes.Clone(b))
		p, err := ParseProfile(b)
		if err != nil {
			if p != nil || !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrUnsupported) {
				t.Fatalf("%v, %v", p, err)
			}
			return
		}
		if !bytes.Equal(p.Marshal(), b) {
			t.Fatal("it is not what its parts are written as")
		}
		for _, m := range []Method{BF16SplitPretrained, BF16SplitMixture, Zstd19Dict} {
			if _, err := p.For(m); err == nil {
				encodedBy(t, m, p, data)
			}
		}
	})
}

// Chunks that are all alike make no more distributions than they need, and end.
func TestTrainerOfLikeChunks(t *testing.T) {
	same := normalBF16(2000, 1, 1)
	for _, chunks := range [][][]byte{{same}, {same, same, same}, {same, same[:2000], same[2000:], normalBF16(2000, 2, 1)}} {
		if p := trainOn(MaxDistributions, 0, chunks...); p.Distributions() > len(chunks) {
			t.Errorf("%d distributions of %d chunks", p.Distributions(), len(chunks))
		}
	}
}
