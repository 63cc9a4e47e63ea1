package index

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io/fs"
	"math"
	"strings"
	"time"
)

// Layout of the index: the metadata of fixed length, the name, zeros up to a
// multiple of 8, the rows, the profile.
const (
	metaLen = 66 // bytes before the name
	rowLen  = 40

	minLen = (metaLen + 1 + 7) &^ 7
	maxLen = (metaLen+MaxNameLen+7)&^7 + MaxRows*rowLen + MaxProfileLen
)

// Offsets of fields inside the metadata and inside a row, where an error or a
// reader needs to name them.
const (
	metaSHA256    = 8
	metaMTimeNsec = 48
	metaMode      = 52
	metaChunkSize = 56
	metaNumRows   = 60
	metaNameLen   = 64

	rowPos    = 8
	rowLength = 16
	rowHeader = 20
	rowPay    = 24
	rowFlags  = 30
)

// SHA256Offset is where in the index the SHA-256 of the original stands.
const SHA256Offset = metaSHA256

// rowsOffset is where in the index the rows begin.
func rowsOffset(nameLen int) int { return (metaLen + nameLen + 7) &^ 7 }

// Marshal gives the bytes of the index. It fails when Parse would not accept
// them behind the last record of the rows.
func (idx *Index) Marshal() ([]byte, error) {
	start := rowsOffset(len(idx.Meta.Name))
	end := int64(HeaderLen)
	for _, r := range idx.Rows {
		end = max(end, r.RecordEnd())
	}
	if err := idx.check(0, end); err != nil {
		return nil, fmt.Errorf("marshal: %w", err)
	}
	b := make([]byte, start+len(idx.Rows)*rowLen, start+len(idx.Rows)*rowLen+len(idx.Profile))
	idx.putMeta(b)
	for i, r := range idx.Rows {
		putRow(b[start+i*rowLen:], r)
	}
	return append(b, idx.Profile...), nil
}

// Parse parses the bytes of an index that ends where the trailer of an archive
// of archiveSize bytes begins. The caller has compared b with its checksum. The
// error is a *CorruptError. b is not kept.
func Parse(b []byte, archiveSize int64) (*Index, error) {
	base := archiveSize - TrailerLen - int64(len(b))
	if base < HeaderLen {
		return nil, corrupt(max(base, 0), "index: %d bytes do not fit an archive of %d", len(b), archiveSize)
	}
	if len(b) < minLen {
		return nil, corrupt(base, "index: only %d bytes", len(b))
	}
	nameLen := int(binary.LittleEndian.Uint16(b[metaNameLen:]))
	start := rowsOffset(nameLen)
	if start > len(b) {
		return nil, corrupt(base+metaNameLen, "index: name of %d bytes", nameLen)
	}
	n := int(binary.LittleEndian.Uint32(b[metaNumRows:]))
	profile := int64(len(b)) - int64(start) - int64(n)*rowLen
	if profile < 0 || profile > MaxProfileLen {
		return nil, corrupt(base+metaNumRows, "index: %d rows in %d bytes", n, len(b))
	}
	if err := checkZero(b[metaLen+nameLen:start], base+metaLen+int64(nameLen), "index: padding"); err != nil {
		return nil, err
	}
	idx := &Index{Meta: parseMeta(b, nameLen), Rows: make([]Row, n)}
	for i := range idx.Rows {
		idx.Rows[i] = parseRow(b[start+i*rowLen:])
	}
	if profile > 0 {
		idx.Profile = bytes.Clone(b[len(b)-int(profile):])
	}
	if err := idx.check(base, base); err != nil {
		return nil, err
	}
	return idx, nil
}

func (idx *Index) putMeta(b []byte) {
	le, m := binary.LittleEndian, &idx.Meta
	le.PutUint64(b, uint64(m.Size))
	copy(b[metaSHA256:], m.SHA256[:])
	le.PutUint64(b[40:], uint64(m.MTime.Unix()))
	le.PutUint32(b[metaMTimeNsec:], uint32(m.MTime.Nanosecond()))
	le.PutUint32(b[metaMode:], uint32(m.Mode))
	le.PutUint32(b[metaChunkSize:], m.ChunkSize)
	le.PutUint32(b[metaNumRows:], uint32(len(idx.Rows)))
	le.PutUint16(b[metaNameLen:], uint16(len(m.Name)))
	copy(b[metaLen:], m.Name)
}

// parseMeta reads the metadata; an invalid mtime comes out as one that check
// refuses.
func parseMeta(b []byte, nameLen int) Meta {
	le := binary.LittleEndian
	m := Meta{
		Name:      string(b[metaLen : metaLen+nameLen]),
		Size:      int64(le.Uint64(b)),
		SHA256:    [32]byte(b[metaSHA256:40]),
		Mode:      fs.FileMode(le.Uint32(b[metaMode:])),
		ChunkSize: le.Uint32(b[metaChunkSize:]),
	}
	sec, nsec := int64(le.Uint64(b[40:])), le.Uint32(b[metaMTimeNsec:])
	if nsec >= 1e9 {
		sec, nsec = math.MinInt64, 0
	}
	m.MTime = time.Unix(sec, int64(nsec)).UTC()
	return m
}

func putRow(b []byte, r Row) {
	le := binary.LittleEndian
	le.PutUint64(b, uint64(r.Off))
	le.PutUint64(b[rowPos:], uint64(r.Pos))
	le.PutUint32(b[rowLength:], r.Len)
	le.PutUint32(b[rowHeader:], r.HeaderLen)
	le.PutUint32(b[rowPay:], r.PayloadLen)
	b[28], b[29] = r.Method, r.DType
	le.PutUint16(b[rowFlags:], r.Flags)
	le.PutUint64(b[32:], r.HeaderSum)
}

func parseRow(b []byte) Row {
	le := binary.LittleEndian
	return Row{
		Off:        int64(le.Uint64(b)),
		Pos:        int64(le.Uint64(b[rowPos:])),
		Len:        le.Uint32(b[rowLength:]),
		HeaderLen:  le.Uint32(b[rowHeader:]),
		PayloadLen: le.Uint32(b[rowPay:]),
		Method:     b[28],
		DType:      b[29],
		Flags:      le.Uint16(b[rowFlags:]),
		HeaderSum:  le.Uint64(b[32:]),
	}
}

// ValidName reports whether name can be the base name of a file.
func ValidName(name string) bool {
	return name != "" && len(name) <= MaxNameLen && name != "." && name != ".." &&
		!strings.ContainsAny(name, "/\x00")
}
