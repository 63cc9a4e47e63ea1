package codec

import (
	"bytes"
	"errors"
	"testing"
)

// A chunk that is cut anywhere is corrupt, however it is coded, and its decoder
// reads nothing beyond the cut.
func TestTruncated(t *testing.T) {
	for _, m := range append(Methods(), Auto) {
		t.Run(m.String(), func(t *testing.T) {
			data, elem := gaussianBF16(1200), BF16
			if how, ok := splitMethods[m]; ok {
				elem = how.elem
			}
			enc, err := newTestEncoder(m, 512).Encode(data, elem, partsAt(300))
			if err != nil {
				t.Fatal(err)
			}
			truncateHeader(t, enc.Header, len(data))
			eachBackend(t, func(t *testing.T) { truncateBlocks(t, enc, data) })
		})
	}
}

func truncateHeader(t *testing.T, header []byte, size int) {
	t.Helper()
	for n := range header {
		if _, err := testProfile().ParseChunk(header[:n], size); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("header cut to %d bytes: %v", n, err)
		}
	}
	if _, err := testProfile().ParseChunk(header, size+2); !errors.Is(err, ErrCorrupt) {
		t.Errorf("header of a chunk of another size: %v", err)
	}
}

// truncateBlocks cuts each block's coded bytes at every length, and has the
// header say that they are as long as that.
func truncateBlocks(t *testing.T, enc Encoded, data []byte) {
	t.Helper()
	c, err := testProfile().ParseChunk(enc.Header, len(data))
	if err != nil {
		t.Fatal(err)
	}
	d := NewDecoder()
	for i := range c.blocks {
		b := &c.blocks[i]
		whole := enc.Payload[b.StoredOff:][:b.StoredLen]
		src, dst := guarded(t, whole), guarded(t, make([]byte, b.Len))
		for n := range whole {
			cut := src[len(src)-n:]
			copy(cut, whole)
			b.StoredLen = n
			err := d.Decode(c, i, dst, cut, nil)
			// What follows the cut in memory makes no difference.
			if behind := d.Decode(c, i, dst, whole[:n], nil); (behind == nil) != (err == nil) {
				t.Fatalf("block %d cut to %d of %d bytes: %v, with the rest behind them %v", i, n, len(whole), err, behind)
			}
			if err == nil && !bytes.Equal(dst, data[b.Off:][:b.Len]) {
				t.Fatalf("block %d cut to %d of %d bytes: wrong bytes", i, n, len(whole))
			}
			if err != nil && !errors.Is(err, ErrCorrupt) {
				t.Fatalf("block %d cut to %d of %d bytes: %v", i, n, len(whole), err)
			}
		}
	}
}
