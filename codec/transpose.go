package codec

import (
	"fmt"
	"math"
)

// Transposed planes: the elements of a block as a matrix of so many columns,
// taken column by column. What repeats down the columns of a matrix then stands
// side by side, where zstd finds it.

// maxColumns bounds the columns of a split: no chunk has more elements.
const maxColumns = MaxChunkLen

func parseColumns(b []byte) (columns int, rest []byte, err error) {
	v, b, err := readUvarint(b, maxColumns)
	if err != nil {
		return 0, nil, err
	}
	if v == 0 {
		return 0, nil, fmt.Errorf("%w: planes of no columns", ErrCorrupt)
	}
	return int(v), b, nil
}

// transposed walks n elements column by column, the rest in order.
type transposed struct {
	columns int
	whole   int // elements in whole rows
	next    int
	column  int
}

func newTransposed(n, columns int) transposed {
	return transposed{columns: columns, whole: n / columns * columns}
}

// step gives the next element.
func (t *transposed) step() int {
	i := t.next
	t.next += t.columns
	switch {
	case i >= t.whole: // in order from here on
		t.next = i + 1
	case t.next >= t.whole:
		if t.column++; t.column < t.columns {
			t.next = t.column
		} else {
			t.next = t.whole
		}
	}
	return i
}

// gatherTransposed fills streams with the planes of data, column by column.
func gatherTransposed(streams [][]byte, data []byte, width, columns int) {
	for k, dst := range streams {
		order := newTransposed(len(dst), columns)
		for p := range dst {
			dst[p] = data[order.step()*width+k]
		}
	}
}

// joinTransposed writes the next size elements, from the tiles, to their places
// in dst.
func (d *Decoder) joinTransposed(m *model, dst []byte, size int) {
	width := m.split.width
	for p := range size {
		at := d.order.step() * width
		for k := range width {
			dst[at+k] = d.tiles[k][p]
		}
	}
}

// wideBlockLen is the longest block of planes coded by zstd: a random read
// decodes all of a block, and zstd finds more in a long one.
const wideBlockLen = 1 << 20

// minSampleRows is how many rows of a matrix show what its columns have in
// common.
const minSampleRows = 8

// transposedPlanes gives the split into planes, by columns as the shape of data
// suggests, that zstd makes smallest of a sample, if its share of that is less
// than least.
func (e *Encoder) transposedPlanes(data []byte, elem Elem, shape []int64, least float64) (split, bool) {
	width := int(elem.Width)
	best := split{}
	for _, columns := range e.level.columns(shape) {
		fewest := columns * minSampleRows * width
		if fewest > min(len(data), e.level.rowsLen()) {
			break
		}
		s := split{kind: splitPlanes, width: width, columns: columns}
		sample := sampleOf(data, columns*width, max(e.level.sampleLen(), fewest))
		if size := e.sampleSize(&s, sample, least); size < least {
			least, best = size, s
		}
	}
	return best, best.columns > 1
}

// columns gives the numbers of columns that are tried for a shape.
func (l Level) columns(shape []int64) []int {
	all := trailing(shape)
	if l == Fast && len(all) > 1 {
		return all[len(all)-1:]
	}
	return all
}

// rowsLen is how long a sample of minSampleRows rows may be.
func (l Level) rowsLen() int {
	if l == Fast {
		return l.sampleLen()
	}
	return sampleLen
}

// trailing gives the products of a shape's last dimensions, above 1 and each
// once, the smallest first; not that of all.
func trailing(shape []int64) (products []int) {
	product := int64(1)
	for i := len(shape) - 1; i > 0; i-- {
		if shape[i] > math.MaxInt32 || product > math.MaxInt32 {
			break
		}
		if shape[i] > 1 {
			product *= shape[i]
			products = append(products, int(product))
		}
	}
	return products
}

// sampleOf gives up to limit bytes from the middle of data, whole rows of it.
func sampleOf(data []byte, row, limit int) []byte {
	if len(data) <= limit {
		return data
	}
	size := max(limit/row, 1) * row
	at := (len(data) - size) / 2 / row * row
	return data[at : at+size]
}

// blockLensFor gives the lengths of blocks to try m with, for a run of n bytes.
func (e *Encoder) blockLensFor(m *model, n int) []int {
	if m.streams[0].coder == coderContexts {
		return []int{e.contextBlockLen()}
	}
	if m.split.kind != splitPlanes || m.streams[0].coder != coderZstd || m.sel != nil || n <= e.blockLen || e.blockLen >= wideBlockLen {
		return []int{e.blockLen}
	}
	return []int{e.blockLen, wideBlockLen}
}
