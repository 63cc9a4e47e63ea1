// Package index is the chunk index of an archive: which bytes of the original
// stand in which record of the archive. It lays the index, the file header and
// the trailer out in bytes, checks them on the way in, and looks chunks up.
//
// docs/format.md specifies every byte. The package does no I/O and
// knows nothing of how a chunk is coded: bytes in, rows out.
package index

import (
	"io/fs"
	"sort"
	"time"
)

// Limits that hold for every archive; an index that exceeds one is corrupt.
const (
	MaxChunkLen       = 64 << 20                        // original bytes of a chunk
	MaxChunkHeaderLen = 4 << 20                         // bytes of a chunk header
	MaxPayloadLen     = MaxChunkLen + MaxChunkHeaderLen // bytes of a chunk's payload
	MaxNameLen        = 255                             // bytes of the original's name
	MaxRows           = 1 << 22                         // chunks of an archive
	MaxProfileLen     = 1 << 20                         // bytes of an archive's profile
)

// Row places one chunk: Len bytes of the original at Off, stored as a record
// of HeaderLen+PayloadLen bytes at Pos. A row takes 40 bytes, in memory as in
// the archive.
type Row struct {
	Off        int64  // in the original
	Pos        int64  // in the archive: where the chunk header begins
	Len        uint32 // original bytes
	HeaderLen  uint32 // bytes of the chunk header
	PayloadLen uint32 // bytes of the payload, which follows the chunk header
	Method     uint8  // codec.Method, for listings
	DType      uint8  // see DTypeName, for listings
	Flags      uint16 // 0 in version 1
	HeaderSum  uint64 // xxh3-64 of the chunk header
}

// End is the offset in the original just behind the chunk.
func (r Row) End() int64 { return r.Off + int64(r.Len) }

// PayloadPos is the offset of the payload in the archive.
func (r Row) PayloadPos() int64 { return r.Pos + int64(r.HeaderLen) }

// RecordLen is the length of the record: chunk header and payload.
func (r Row) RecordLen() int64 { return int64(r.HeaderLen) + int64(r.PayloadLen) }

// RecordEnd is the offset in the archive just behind the record.
func (r Row) RecordEnd() int64 { return r.Pos + r.RecordLen() }

// sameRecord reports whether two rows that share a Pos agree on what is there.
// The DType may differ: equal bytes need not have equal meaning.
func (r Row) sameRecord(o Row) bool {
	return r.Pos == o.Pos && r.Len == o.Len && r.HeaderLen == o.HeaderLen &&
		r.PayloadLen == o.PayloadLen && r.Method == o.Method && r.HeaderSum == o.HeaderSum
}

// Meta describes the original file.
type Meta struct {
	Name      string // base name
	Size      int64
	SHA256    [32]byte
	MTime     time.Time   // UTC, to the nanosecond
	Mode      fs.FileMode // permission bits only
	ChunkSize uint32      // no chunk is longer
}

// Index is a whole index. Its rows are in order of Off and cover [0, Size)
// without gaps.
type Index struct {
	Meta    Meta
	Rows    []Row
	Profile []byte // what all chunks may be coded by; the index does not look into it
}

// ChunkEnd gives the end of the chunk that holds original offset off, which is within
// the file.
func (idx *Index) ChunkEnd(off int64) int64 { return idx.Rows[idx.Find(off)].End() }

// Find gives the number of the row that holds original offset off, or -1 when
// off is outside the file.
func (idx *Index) Find(off int64) int {
	if off < 0 || off >= idx.Meta.Size {
		return -1
	}
	return sort.Search(len(idx.Rows), func(i int) bool { return idx.Rows[i].Off > off }) - 1
}
