package archive

import (
	"context"
	"fmt"

	"github.com/scapefs/scapefs/codec"
	"github.com/scapefs/scapefs/index"
)

// Share is how many bytes of an archive are there for one thing.
type Share struct {
	Kind  string `json:"kind"`
	Bytes int64  `json:"bytes"`
}

// The kinds of bytes that an archive has, as Audit lists them.
const (
	kindFileHeader = iota
	kindParams
	kindTables
	kindBlocks
	kindCoded
	kindStates
	kindRaw
	kindIndex
	kindProfile
	kindSums
	kindPadding
	kindTrailer
	numKinds
)

var kindNames = [numKinds]string{
	kindFileHeader: "file header",
	kindParams:     "chunk headers",
	kindTables:     "tables",
	kindBlocks:     "block tables",
	kindCoded:      "payload, coded",
	kindStates:     "payload, coder states",
	kindRaw:        "payload, raw",
	kindIndex:      "index",
	kindProfile:    "profile",
	kindSums:       "checksums",
	kindPadding:    "padding",
	kindTrailer:    "trailer",
}

// Audit says what every byte of the archive in r is there for; the same kinds in
// the same order for every archive. It reads the chunk headers. The shares add up
// to the size of the archive: if they do not, or a record is not what the index
// and its header say, the error wraps ErrCorrupt.
func Audit(ctx context.Context, r *Reader) ([]Share, error) {
	var sums [numKinds]int64
	around := r.idx.Account()
	sums[kindFileHeader], sums[kindIndex], sums[kindProfile] = around.FileHeader, around.Index, around.Profile
	sums[kindSums], sums[kindPadding], sums[kindTrailer] = around.Sums, around.Padding, around.Trailer

	pos := int64(index.HeaderLen)
	for n, row := range r.idx.Rows {
		if row.Pos < pos {
			continue // stored once already
		}
		a, err := r.accountOf(ctx, n)
		if err != nil {
			return nil, err
		}
		for kind, bytes := range [numKinds]int{
			kindParams: a.Params, kindTables: a.Tables, kindBlocks: a.Blocks, kindSums: a.Sums,
			kindCoded: a.Coded, kindStates: a.States, kindRaw: a.Raw,
		} {
			sums[kind] += int64(bytes)
		}
		pos = row.RecordEnd()
	}
	return r.sharesOf(sums)
}

// accountOf says what the bytes of the record of chunk n are.
func (r *Reader) accountOf(ctx context.Context, n int) (codec.Account, error) {
	row := r.idx.Rows[n]
	c, err := r.Chunk(ctx, n)
	if err != nil {
		return codec.Account{}, err
	}
	a, err := c.Account()
	if err != nil {
		return a, r.chunkError(n, row.Pos, err)
	}
	if a.Header() != int(row.HeaderLen) || a.Payload() != int(row.PayloadLen) {
		return a, r.corrupt(n, row.Pos, fmt.Errorf("%d and %d bytes of header and payload are accounted for, it has %d and %d",
			a.Header(), a.Payload(), row.HeaderLen, row.PayloadLen))
	}
	return a, nil
}

func (r *Reader) sharesOf(sums [numKinds]int64) ([]Share, error) {
	shares := make([]Share, numKinds)
	total := int64(0)
	for kind, bytes := range sums {
		shares[kind] = Share{kindNames[kind], bytes}
		total += bytes
	}
	if total != r.StoredSize() {
		return nil, r.corrupt(-1, r.StoredSize(), fmt.Errorf("%d bytes are accounted for, it has %d", total, r.StoredSize()))
	}
	return shares, nil
}
