package weights

import (
	"bytes"
	"io"
	"testing"

	"github.com/scapefs/scapefs/safetensors"
)

func TestFile(t *testing.T) {
	f := New(7, 2)
	whole, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<30))
	if err != nil || int64(len(whole)) != f.Size() {
		t.Fatalf("%d bytes, %v; want %d", len(whole), err, f.Size())
	}
	h, err := safetensors.Parse(bytes.NewReader(whole), f.Size())
	if err != nil || len(h.Tensors) != 2 {
		t.Fatalf("as safetensors: %v", err)
	}
	for _, off := range []int64{0, 3, h.DataStart - 1, h.DataStart, h.DataStart + blockSize - 1, f.Size() - 5, f.Size()} {
		p := make([]byte, blockSize+9)
		n, err := f.ReadAt(p, off)
		if want := whole[off:min(off+int64(len(p)), f.Size())]; !bytes.Equal(p[:n], want) || (err == io.EOF) != (n < len(p)) {
			t.Errorf("at %d: %d bytes of %d, %v", off, n, len(want), err)
		}
	}
	other, _ := io.ReadAll(io.NewSectionReader(New(8, 2), 0, 1<<30))
	if len(other) != len(whole) || bytes.Equal(other[h.DataStart:], whole[h.DataStart:]) {
		t.Error("another seed gives the same bytes, or another size")
	}
}
