package index

import (
	"encoding/binary"
	"math"

	"github.com/zeebo/xxh3"
)

// Version is the format version that this package reads and writes.
const Version = 1

// Lengths of the frame around the chunk records, in bytes.
const (
	HeaderLen  = 16 // file header, at offset 0
	TrailerLen = 64 // trailer, the archive's last bytes
)

// The opening magic catches, as PNG's does, a transfer that strips the eighth
// bit or converts line ends.
const (
	headerMagic  = "\x89SCP\r\n\x1a\n"
	trailerMagic = "\x89SCPEND\n"
)

// Offsets inside the trailer. Version, sum and magic stay where they are in
// every later version.
const (
	trailerVersion  = 32
	trailerReserved = 34
	trailerSum      = 48
	trailerMagicOff = 56
)

// MarshalHeader gives the HeaderLen bytes that open an archive.
func MarshalHeader() []byte {
	b := make([]byte, HeaderLen)
	copy(b, headerMagic)
	binary.LittleEndian.PutUint16(b[8:], Version)
	return b
}

// ParseHeader checks the first bytes of an archive; b may be longer than
// HeaderLen. The error wraps ErrNotArchive, ErrVersion or ErrCorrupt.
func ParseHeader(b []byte) error {
	if len(b) < HeaderLen || string(b[:8]) != headerMagic {
		return ErrNotArchive
	}
	if err := checkVersion(8, binary.LittleEndian.Uint16(b[8:])); err != nil {
		return err
	}
	return checkZero(b[10:HeaderLen], 10, "file header: reserved bytes")
}

// Trailer locates and protects the index.
type Trailer struct {
	IndexPos int64  // in the archive
	IndexLen int64  // bytes
	IndexSum uint64 // xxh3-64 of the index
}

// NewTrailer describes index bytes that are to stand at pos.
func NewTrailer(pos int64, index []byte) Trailer {
	return Trailer{IndexPos: pos, IndexLen: int64(len(index)), IndexSum: xxh3.Hash(index)}
}

// Marshal gives the TrailerLen bytes that close an archive.
func (t Trailer) Marshal() []byte {
	b := make([]byte, TrailerLen)
	le := binary.LittleEndian
	le.PutUint64(b[0:], uint64(t.IndexPos))
	le.PutUint64(b[8:], uint64(t.IndexLen))
	le.PutUint64(b[16:], t.IndexSum)
	le.PutUint64(b[24:], uint64(t.IndexPos+t.IndexLen+TrailerLen))
	le.PutUint16(b[trailerVersion:], Version)
	le.PutUint64(b[trailerSum:], xxh3.Hash(b[:trailerSum]))
	copy(b[trailerMagicOff:], trailerMagic)
	return b
}

// ParseTrailer parses the last TrailerLen bytes of an archive of archiveSize
// bytes. The index it locates is not empty, fits MaxRows, and stands between
// the file header and the trailer. The error wraps ErrNotArchive, ErrVersion or
// ErrCorrupt.
func ParseTrailer(b []byte, archiveSize int64) (Trailer, error) {
	if len(b) != TrailerLen || string(b[trailerMagicOff:]) != trailerMagic {
		return Trailer{}, ErrNotArchive
	}
	le := binary.LittleEndian
	base := archiveSize - TrailerLen
	if le.Uint64(b[trailerSum:]) != xxh3.Hash(b[:trailerSum]) {
		return Trailer{}, corrupt(base, "trailer: checksum does not match")
	}
	if err := checkVersion(base+trailerVersion, le.Uint16(b[trailerVersion:])); err != nil {
		return Trailer{}, err
	}
	if err := checkZero(b[trailerReserved:trailerSum], base+trailerReserved, "trailer: reserved bytes"); err != nil {
		return Trailer{}, err
	}
	if size := le.Uint64(b[24:]); size != uint64(archiveSize) {
		return Trailer{}, corrupt(base+24, "trailer: archive should have %d bytes, has %d", size, archiveSize)
	}
	pos, n := le.Uint64(b[0:]), le.Uint64(b[8:])
	if n < minLen || n > maxLen {
		return Trailer{}, corrupt(base+8, "trailer: index of %d bytes, must be %d to %d", n, minLen, maxLen)
	}
	if pos < HeaderLen || pos > math.MaxInt64-maxLen || int64(pos+n) != base {
		return Trailer{}, corrupt(base, "trailer: index of %d bytes at %d does not end at the trailer", n, pos)
	}
	return Trailer{IndexPos: int64(pos), IndexLen: int64(n), IndexSum: le.Uint64(b[16:])}, nil
}

// Check compares the index bytes with their checksum.
func (t Trailer) Check(index []byte) error {
	if int64(len(index)) != t.IndexLen || xxh3.Hash(index) != t.IndexSum {
		return corrupt(t.IndexPos, "index: checksum does not match")
	}
	return nil
}

// checkZero demands that b, which stands at offset, is all zero.
func checkZero(b []byte, offset int64, what string) error {
	for i, v := range b {
		if v != 0 {
			return corrupt(offset+int64(i), "%s not zero", what)
		}
	}
	return nil
}
