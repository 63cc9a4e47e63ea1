package index

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/zeebo/xxh3"
)

func TestHeader(t *testing.T) {
	b := MarshalHeader()
	if got := hex.EncodeToString(b); got != "895343500d0a1a0a0100000000000000" {
		t.Errorf("header is %s", got)
	}
	if err := ParseHeader(append(b, 1, 2, 3)); err != nil {
		t.Error(err)
	}
	for n := range b {
		if err := ParseHeader(b[:n]); !errors.Is(err, ErrNotArchive) {
			t.Errorf("first %d bytes: %v", n, err)
		}
	}
	for bit := range len(b) * 8 {
		c := slices.Clone(b)
		c[bit/8] ^= 1 << (bit % 8)
		if ParseHeader(c) == nil {
			t.Errorf("bit %d flipped: accepted", bit)
		}
	}
}

func TestTrailer(t *testing.T) {
	index := mustMarshal(t, sample())
	want := NewTrailer(sampleRecordsEnd, index)
	b, size := want.Marshal(), archiveSize(index)
	got, err := ParseTrailer(b, size)
	if err != nil || got != want {
		t.Fatalf("got %+v, %v; want %+v", got, err, want)
	}
	if err := got.Check(index); err != nil {
		t.Error(err)
	}
	if err := got.Check(index[1:]); !errors.Is(err, ErrCorrupt) {
		t.Errorf("shorter index: %v", err)
	}
	for _, s := range []int64{size - 1, size + 1, 0, math.MaxInt64} {
		if _, err := ParseTrailer(b, s); !errors.Is(err, ErrCorrupt) {
			t.Errorf("archive of %d bytes: %v", s, err)
		}
	}
	for bit := range len(b) * 8 {
		c := slices.Clone(b)
		c[bit/8] ^= 1 << (bit % 8)
		if got, err := ParseTrailer(c, size); err == nil || got != (Trailer{}) {
			t.Errorf("bit %d flipped: %+v, %v", bit, got, err)
		}
	}
}

// TestTrailerBounds gives every change a valid checksum, so that the check of
// the field itself is what must answer.
func TestTrailerBounds(t *testing.T) {
	index := mustMarshal(t, sample())
	size := archiveSize(index)
	le := binary.LittleEndian
	for _, c := range []struct {
		name   string
		change func(b []byte)
		want   error
	}{
		{"as it is", func([]byte) {}, nil},
		{"version 0", func(b []byte) { le.PutUint16(b[32:], 0) }, ErrCorrupt},
		{"version 2", func(b []byte) { le.PutUint16(b[32:], 2) }, ErrVersion},
		{"version 2 with new fields", func(b []byte) { le.PutUint16(b[32:], 2); b[40] = 1; le.PutUint64(b, 7) }, ErrVersion},
		{"reserved first", func(b []byte) { b[34] = 1 }, ErrCorrupt},
		{"reserved last", func(b []byte) { b[47] = 1 }, ErrCorrupt},
		{"size", func(b []byte) { le.PutUint64(b[24:], uint64(size+1)) }, ErrCorrupt},
		{"index short", func(b []byte) { le.PutUint64(b[8:], minLen-1); le.PutUint64(b, uint64(size-64-minLen+1)) }, ErrCorrupt},
		{"index shortest", func(b []byte) { le.PutUint64(b[8:], minLen); le.PutUint64(b, uint64(size-64-minLen)) }, nil},
		{"index long", func(b []byte) { le.PutUint64(b[8:], maxLen+1) }, ErrCorrupt},
		{"index huge", func(b []byte) { le.PutUint64(b[8:], math.MaxUint64) }, ErrCorrupt},
		{"index in file header", func(b []byte) { le.PutUint64(b[8:], uint64(size-64-15)); le.PutUint64(b, 15) }, ErrCorrupt},
		{"index behind file header", func(b []byte) { le.PutUint64(b[8:], uint64(size-64-16)); le.PutUint64(b, 16) }, nil},
		{"position wraps", func(b []byte) { le.PutUint64(b, math.MaxUint64-7) }, ErrCorrupt},
		{"gap before trailer", func(b []byte) { le.PutUint64(b, sampleRecordsEnd-1) }, ErrCorrupt},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := NewTrailer(sampleRecordsEnd, index).Marshal()
			c.change(b)
			le.PutUint64(b[48:], xxh3.Hash(b[:48]))
			if _, err := ParseTrailer(b, size); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestVersionErrorNamesWhatIsNeeded(t *testing.T) {
	b := MarshalHeader()
	b[8] = 7
	err := ParseHeader(b)
	if !errors.Is(err, ErrVersion) || !strings.Contains(err.Error(), "version 7") || !strings.Contains(err.Error(), "newer scapefs") {
		t.Errorf("got %v", err)
	}
}

func FuzzParseTrailer(f *testing.F) {
	index := mustMarshal(f, sample())
	f.Add(NewTrailer(sampleRecordsEnd, index).Marshal(), archiveSize(index))
	f.Fuzz(func(t *testing.T, b []byte, size int64) {
		if len(b) == TrailerLen { // let the fuzzer past the checksum
			copy(b[trailerMagicOff:], trailerMagic)
			binary.LittleEndian.PutUint64(b[trailerSum:], xxh3.Hash(b[:trailerSum]))
		}
		tr, err := ParseTrailer(b, size)
		if err != nil {
			if tr != (Trailer{}) {
				t.Fatalf("%+v with %v", tr, err)
			}
			return
		}
		if got := tr.Marshal(); string(got) != string(b) {
			t.Fatalf("marshals to\n%x, parsed from\n%x", got, b)
		}
	})
}
