package codec

import (
	"bytes"
	"fmt"
	"testing"
)

// onEachBackend gives what do gives with every backend, pure Go first.
func onEachBackend(t *testing.T, do func() string) (results []string) {
	for _, name := range Backends() {
		if err := SetBackend(name); err != nil {
			t.Fatal(err)
		}
		results = append(results, do())
	}
	return results
}

// Whatever stands in a chunk, every backend makes the same of it: the same
// bytes, or an error.
func FuzzBackendsDecodeAlike(f *testing.F) {
	const size = 20_000
	rows := scaledBF16(50, 200, true)
	for _, data := range [][]byte{gaussianBF16(size), rows, testData(size)["sparse"], testData(size)["repeated"]} {
		for _, level := range Levels() {
			for _, elem := range []Elem{BF16, F16, F32, F8E4M3} {
				e := NewEncoder(Scape, 8<<10)
				e.SetLevel(level)
				enc, err := e.Encode(data, elem, []Part{{Shape: []int64{50, 200}}})
				if err != nil {
					f.Fatal(err)
				}
				f.Add(enc.Header, enc.Payload)
			}
		}
	}
	for _, m := range []Method{BF16SplitCtx, BF16SplitXZ9} {
		enc, err := NewEncoder(m, 8<<10).Encode(coarseMantissas(size), BF16, nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(enc.Header, enc.Payload)
	}
	d := NewDecoder()
	f.Fuzz(func(t *testing.T, header, payload []byte) {
		c, err := ParseChunk(header, size)
		if err != nil || c.PayloadLen() != len(payload) {
			return
		}
		results := onEachBackend(t, func() string {
			out := make([]byte, size)
			for i := range c.NumBlocks() {
				b := c.Block(i)
				r, _ := c.Reference(i)
				err := d.Decode(c, i, out[b.Off:b.Off+b.Len], payload[b.StoredOff:b.StoredOff+b.StoredLen], make([]byte, r.Len))
				if err != nil {
					return fmt.Sprintf("block %d fails", i)
				}
			}
			return string(out)
		})
		for i, r := range results {
			if r != results[0] {
				t.Fatalf("%s: not what pure Go makes of it", Backends()[i])
			}
		}
	})
}

// Whatever the weights, every backend codes them to the same bytes, which
// decode to the weights.
func FuzzBackendsEncodeAlike(f *testing.F) {
	for _, data := range [][]byte{gaussianBF16(9000), scaledBF16(90, 50, false), testData(9000)["special"], testData(9000)["sparse"]} {
		f.Add(data, uint8(0), uint8(1), uint16(50))
		f.Add(data, uint8(1), uint8(2), uint16(7))
	}
	e := NewEncoder(Auto, 4<<10)
	elems := []Elem{BF16, F16, F32, F64, F8E4M3, F8E5M2, Int16}
	f.Fuzz(func(t *testing.T, data []byte, elem, level uint8, columns uint16) {
		if len(data) == 0 || len(data) > 1<<20 {
			return
		}
		of := elems[int(elem)%len(elems)]
		shape := []int64{int64(len(data))/int64(max(columns, 1)) + 1, int64(max(columns, 1))}
		results := onEachBackend(t, func() string {
			e.SetLevel(Levels()[int(level)%len(Levels())])
			enc, err := e.Encode(data, of, []Part{{Shape: shape}})
			if err != nil {
				t.Fatal(err)
			}
			got, err := decodeChunk(t, enc, len(data))
			if err != nil || !bytes.Equal(got, data) {
				t.Fatalf("%s: %v, equal %v", Backend(), err, bytes.Equal(got, data))
			}
			return string(enc.Header) + string(enc.Payload)
		})
		for i, r := range results {
			if r != results[0] {
				t.Fatalf("%s: not what pure Go makes", Backends()[i])
			}
		}
	})
}
