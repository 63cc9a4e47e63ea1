package codec

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/ulikunitz/xz/lzma"
)

// Coding by LZMA2, which is what an xz file holds, without the frame that xz
// puts around it: blocks have lengths and sums of their own.

// lzmaProperties are those of xz.
var lzmaProperties = lzma.Properties{LC: 3, LP: 0, PB: 2}

// lzmaWindow is the window for n symbols: a stream needs none that is longer.
func lzmaWindow(n int) int { return max(n, lzma.MinDictCap) }

func appendLZMA(dst, symbols []byte) []byte {
	out := bytes.NewBuffer(dst)
	w, err := lzma.Writer2Config{Properties: &lzmaProperties, DictCap: lzmaWindow(len(symbols))}.NewWriter2(out)
	if err == nil {
		_, err = w.Write(symbols)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(err) // the options are valid, and a buffer takes all
	}
	return out.Bytes()
}

// decodeLZMA fills dst with the content of the stream src, which must have just
// that length. It takes little more memory than that, whatever src says.
func decodeLZMA(dst, src []byte) error {
	in := bytes.NewReader(src)
	r, err := lzma.Reader2Config{DictCap: lzmaWindow(len(dst))}.NewReader2(in)
	if err == nil {
		_, err = io.ReadFull(r, dst)
	}
	if err != nil {
		return fmt.Errorf("%w: LZMA2: %w", ErrCorrupt, err)
	}
	var more [1]byte
	if n, err := r.Read(more[:]); n != 0 || !errors.Is(err, io.EOF) || in.Len() != 0 {
		return fmt.Errorf("%w: LZMA2 stream does not end after %d bytes", ErrCorrupt, len(dst))
	}
	return nil
}
