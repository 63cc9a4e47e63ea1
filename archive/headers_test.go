package archive

import (
	"testing"

	"github.com/scapefs/scapefs/codec"
)

// A header beyond the limit is kept as long as it is the last one.
func TestLongHeaderIsKept(t *testing.T) {
	enc := codec.NewEncoder(codec.Raw, 0)
	coded, err := enc.Encode(make([]byte, 100), codec.Bytes, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := codec.ParseChunk(coded.Header, 100)
	if err != nil {
		t.Fatal(err)
	}
	h := newHeaderCache(c.MemSize()/2, c.MemSize())
	h.add(1, c)
	if h.get(1) == nil {
		t.Error("a long header is not kept")
	}
	h.add(2, c)
	if h.get(1) != nil || h.get(2) == nil {
		t.Error("the header before the last is kept beyond the limit")
	}
}
