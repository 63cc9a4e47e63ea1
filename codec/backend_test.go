//go:build unix

package codec

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"testing"
)

// eachBackend runs test with every backend that the processor has, and leaves
// the best in use. A backend named in SCAPEFS_BACKEND must be among them.
func eachBackend(t *testing.T, test func(t *testing.T)) {
	if want := os.Getenv("SCAPEFS_BACKEND"); want != "" && !slices.Contains(Backends(), want) {
		t.Fatalf("SCAPEFS_BACKEND=%s, but this processor, or build, has %v", want, Backends())
	}
	defer func(best string) {
		if err := SetBackend(best); err != nil {
			t.Fatal(err)
		}
	}(Backends()[len(Backends())-1])
	for _, name := range Backends() {
		if err := SetBackend(name); err != nil {
			t.Fatal(err)
		}
		t.Run(name, test)
	}
}

func TestSetBackend(t *testing.T) {
	before := Backend()
	if err := SetBackend("abacus"); err == nil || Backend() != before {
		t.Errorf("SetBackend of an unknown one: %v, then %s", err, Backend())
	}
}

// Each kernel must give what pure Go gives, on streams of every kind that it
// takes; and must run at all.
func TestKernelsAgree(t *testing.T) {
	eachBackend(t, func(t *testing.T) {
		done := unpackVector(make([]byte, maxGroup), make([]byte, maxGroup), 6)
		if (done > 0) != (Backend() != backendNames[backendGo]) {
			t.Fatalf("backend %s unpacked %d groups", Backend(), done)
		}
		data := gaussianBF16(200 << 10)
		for raw := 1; raw <= 8; raw++ {
			s := split{kind: splitTop, width: 2, raw: raw, sign: signRaw}
			for _, zeros := range []bool{false, true} {
				if zeros {
					clear(data[1000:3000])
				}
				decodeByModel(t, s, data)
			}
		}
	})
}

// decodeByModel codes data by a model with that split and rANS, where it has
// an alphabet, and decodes it between guard pages.
func decodeByModel(t *testing.T, s split, data []byte) {
	t.Helper()
	e := NewEncoder(Scape, 0)
	v := e.count.count(data, 2).fold(s.sign, s.raw)
	a, ok := newAlphabet(v.present(), 1<<s.valueBits())
	if !ok || a.kind == alphabetList {
		return // not what the merge kernel takes
	}
	s.alpha = a
	m := newModel(s)
	chooseSymbolCoder(&m.streams[0], v.bySymbol(&m.split.alpha), len(data)/2, Balanced)
	if m.streams[0].coder == coderRANS {
		m.streams[0].lanesLog2 = maxLanesLog2
	}
	if len(m.streams) > 1 && m.streams[1].bits < 8 {
		m.streams[1].coder = coderBits
	}
	coded := guarded(t, e.appendBlock(nil, m, data, 0))
	dst := guarded(t, make([]byte, len(data)))
	if err := NewDecoder().decode(m, dst, coded, 0); err != nil || !bytes.Equal(dst, data) {
		t.Fatalf("%d raw bits, alphabet %d: %v, equal %v", s.raw, a.kind, err, bytes.Equal(dst, data))
	}
}

// Blocks of every length around the kernels' borders, in buffers that end at
// pages that cannot be touched.
func TestKernelsStayInside(t *testing.T) {
	eachBackend(t, func(t *testing.T) {
		all := gaussianBF16(2 * (3*maxGroup + 70))
		s := split{kind: splitTop, width: 2, raw: 6, sign: signRaw}
		for n := 2 * 60; n <= len(all); n += 2 * 31 {
			decodeByModel(t, s, all[:n])
		}
	})
}

// Coded bytes that are not what an encoder wrote make no kernel leave its
// buffers, nor differ from pure Go.
func TestKernelsOnDamage(t *testing.T) {
	data := gaussianBF16(64 << 10)
	enc, err := NewEncoder(Scape, 0).Encode(data, BF16, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ParseChunk(enc.Header, len(data))
	if err != nil {
		t.Fatal(err)
	}
	results := map[int]string{}
	eachBackend(t, func(t *testing.T) {
		for i := range 200 {
			payload := bytes.Clone(enc.Payload)
			for k := range 1 + i%5 {
				payload[(i*7919+k*104729)%len(payload)] ^= byte(1 + i)
			}
			dst := guarded(t, make([]byte, len(data)))
			err := NewDecoder().decode(c.models[0], dst, guarded(t, payload), 0)
			got := fmt.Sprint(err, bytes.Equal(dst, data))
			if before, ok := results[i]; ok && before != got {
				t.Fatalf("damage %d: %s, another backend says %s", i, got, before)
			}
			results[i] = got
		}
	})
}
