package reader

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/scapefs/scapefs/integration/torture/weights"
)

// errWrong reports bytes that the file does not have.
var errWrong = errors.New("wrong bytes")

// check compares what is read from one open file. It may hold any of several
// contents, but no mix of them.
type check struct {
	left  []*weights.File // contents that agree with all that was read
	size  int64
	bytes int64
	buf   [64 << 10]byte
}

func newCheck(f File) *check {
	c := &check{}
	for _, seed := range f.Seeds {
		w := weights.New(seed, f.Tensors)
		c.left, c.size = append(c.left, w), w.Size()
	}
	return c
}

// compare checks that b stands at off.
func (c *check) compare(b []byte, off int64) error {
	for len(b) > 0 {
		part := b[:min(len(b), len(c.buf))]
		var left []*weights.File
		for _, w := range c.left {
			n, _ := w.ReadAt(c.buf[:len(part)], off)
			if n == len(part) && bytes.Equal(part, c.buf[:n]) {
				left = append(left, w)
			}
		}
		if len(left) == 0 {
			return fmt.Errorf("%w in [%d, %d)", errWrong, off, off+int64(len(part)))
		}
		c.left = left
		c.bytes += int64(len(part))
		b, off = b[len(part):], off+int64(len(part))
	}
	return nil
}

// ended checks that a read of n bytes at off may give got.
func (c *check) ended(off int64, n, got int) error {
	if want := int(max(0, min(int64(n), c.size-off))); got != want {
		return fmt.Errorf("%w: %d bytes at %d of %d, want %d", errWrong, got, off, c.size, want)
	}
	return nil
}
