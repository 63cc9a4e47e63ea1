package index

import (
	"io/fs"
	"sort"
)

// The years that an mtime may fall in: those that time.Time can print.
const (
	minMTime = -62135596800 // 0001-01-01
	maxMTime = 253402300799 // 9999-12-31
)

// check is the one judge of what an index may say, before it is written and
// after it is read. The index stands at base; its records end at recordsEnd.
func (idx *Index) check(base, recordsEnd int64) error {
	if err := idx.Meta.check(base); err != nil {
		return err
	}
	if len(idx.Rows) > MaxRows {
		return corrupt(base+metaNumRows, "index: %d rows, at most %d are allowed", len(idx.Rows), MaxRows)
	}
	if len(idx.Profile) > MaxProfileLen {
		return corrupt(base, "index: profile of %d bytes, at most %d are allowed", len(idx.Profile), MaxProfileLen)
	}
	return idx.checkRows(base+int64(rowsOffset(len(idx.Meta.Name))), recordsEnd)
}

func (m *Meta) check(base int64) error {
	switch sec := m.MTime.Unix(); {
	case m.Size < 0:
		return corrupt(base, "index: size out of range")
	case sec < minMTime || sec > maxMTime:
		return corrupt(base+40, "index: mtime out of range")
	case m.Mode&^fs.ModePerm != 0:
		return corrupt(base+metaMode, "index: mode %#o has more than permission bits", uint32(m.Mode))
	case m.ChunkSize < 1 || m.ChunkSize > MaxChunkLen:
		return corrupt(base+metaChunkSize, "index: chunk size %d, must be 1 to %d", m.ChunkSize, MaxChunkLen)
	case !ValidName(m.Name):
		return corrupt(base+metaLen, "index: %q cannot be a file's name", m.Name)
	}
	return nil
}

// checkRows demands that the rows cover the original, and that their records
// tile the archive in order: each row's record begins where the records so far
// end, or is one of them.
func (idx *Index) checkRows(base, recordsEnd int64) error {
	off, pos := int64(0), int64(HeaderLen)
	var shared bool
	for i, r := range idx.Rows {
		at := base + int64(i)*rowLen
		if err := r.check(at, idx.Meta.ChunkSize); err != nil {
			return err
		}
		if r.Off != off {
			return corrupt(at, "row %d: begins at %d of the original, must be %d", i, r.Off, off)
		}
		if int64(r.Len) > idx.Meta.Size-off {
			return corrupt(at+rowLength, "row %d: ends behind the original's %d bytes", i, idx.Meta.Size)
		}
		off = r.End()
		switch {
		case r.Pos == pos && r.RecordLen() <= recordsEnd-pos:
			pos = r.RecordEnd()
		case r.Pos >= pos:
			return corrupt(at+rowPos, "row %d: record of %d bytes at %d, must begin at %d and end by %d", i, r.RecordLen(), r.Pos, pos, recordsEnd)
		default:
			shared = true
		}
	}
	if off != idx.Meta.Size {
		return corrupt(base, "index: rows cover %d of %d bytes", off, idx.Meta.Size)
	}
	if pos != recordsEnd {
		return corrupt(base, "index: records end at %d, must be %d", pos, recordsEnd)
	}
	if shared {
		return idx.checkShared(base)
	}
	return nil
}

// checkShared demands that every row which does not add a record names one that
// an earlier row has added, and describes it alike.
func (idx *Index) checkShared(base int64) error {
	var added []int // rows that added a record, so in order of Pos
	pos := int64(HeaderLen)
	for i, r := range idx.Rows {
		if r.Pos == pos {
			added = append(added, i)
			pos = r.RecordEnd()
			continue
		}
		j := sort.Search(len(added), func(k int) bool { return idx.Rows[added[k]].Pos >= r.Pos })
		if j == len(added) || !r.sameRecord(idx.Rows[added[j]]) {
			return corrupt(base+int64(i)*rowLen+rowPos, "row %d: shares a record at %d that no earlier row describes alike", i, r.Pos)
		}
	}
	return nil
}

// check judges the fields of one row, which stands at offset at, by themselves.
func (r Row) check(at int64, chunkSize uint32) error {
	switch {
	case r.Pos < HeaderLen:
		return corrupt(at+rowPos, "row: record at %d", r.Pos)
	case r.Len < 1 || r.Len > chunkSize:
		return corrupt(at+rowLength, "row: chunk of %d bytes, must be 1 to %d", r.Len, chunkSize)
	case r.HeaderLen < 1 || r.HeaderLen > MaxChunkHeaderLen:
		return corrupt(at+rowHeader, "row: chunk header of %d bytes, must be 1 to %d", r.HeaderLen, MaxChunkHeaderLen)
	case r.PayloadLen > MaxPayloadLen:
		return corrupt(at+rowPay, "row: payload of %d bytes, at most %d are allowed", r.PayloadLen, MaxPayloadLen)
	case r.Flags != 0:
		return corrupt(at+rowFlags, "row: flags %#x, must be 0", r.Flags)
	}
	return nil
}
