//go:build unix

package codec

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// codedLanes is a stream of n symbols of so many lanes, and what decodes it:
// with classes, or with the first table alone.
type codedLanes struct {
	symbols, classes, coded []byte
	lanesLog2               uint
	tables                  *contextTables
}

func codeLanes(n int, lanesLog2 uint, classes bool) codedLanes {
	r := rand.New(rand.NewPCG(uint64(n), uint64(lanesLog2)))
	var freqs []frequencies
	for range 3 {
		var counts [40]uint32
		for i := range counts {
			counts[i] = 1 + r.Uint32N(1<<r.Uint32N(12))
		}
		f, _, _ := chooseFrequencies(counts[:])
		freqs = append(freqs, f)
	}
	c := codedLanes{symbols: make([]byte, n), classes: make([]byte, n), lanesLog2: lanesLog2, tables: newContextTables(freqs)}
	encoders := make([]ransEncoder, len(freqs))
	for i := range encoders {
		encoders[i].init(freqs[i])
	}
	for i := range c.symbols {
		if classes {
			c.classes[i] = byte(r.IntN(len(freqs)))
		}
		c.symbols[i] = byte((*c.tables)[int(c.classes[i])*ransTotal+r.IntN(ransTotal)] >> 24)
	}
	c.coded = encoders[0].encodeClasses(nil, c.symbols, c.classes, encoders, lanesLog2)
	if !classes {
		c.classes = nil
	}
	return c
}

func (c *codedLanes) decode(dst, coded []byte) error {
	var d ransDecoder
	if err := d.init((*ransTable)((*c.tables)[:ransTotal]), c.lanesLog2, coded); err != nil {
		return err
	}
	var err error
	if c.classes == nil {
		err = d.read(dst, nil)
	} else {
		err = d.readClasses(dst, c.classes, *c.tables)
	}
	if err != nil {
		return err
	}
	return d.close()
}

// Streams of every number of lanes, of lengths around every border, between
// guard pages; and damaged ones, whatever they decode to, alike on all
// backends.
func TestLanes(t *testing.T) {
	damaged := map[string][]byte{}
	eachBackend(t, func(t *testing.T) {
		for log2 := uint(minLanesLog2); log2 <= maxLanesLog2; log2++ {
			for _, classes := range []bool{false, true} {
				lanes := 1 << log2
				for _, n := range []int{0, 1, lanes - 1, lanes, lanes + 1, 3*lanes - 1, 3 * lanes, 100 * lanes, 100*lanes + 7, 5000} {
					c := codeLanes(n, log2, classes)
					c.classes = guardedOrNil(t, c.classes)
					dst := guarded(t, make([]byte, n))
					if err := c.decode(dst, guarded(t, c.coded)); err != nil || !bytes.Equal(dst, c.symbols) {
						t.Fatalf("%d symbols, %d lanes, classes %v: %v", n, lanes, classes, err)
					}
					c.damage(t, dst, fmt.Sprint(n, lanes, classes), damaged)
				}
			}
		}
	})
}

func (c *codedLanes) damage(t *testing.T, dst []byte, name string, before map[string][]byte) {
	t.Helper()
	for i := range 4 {
		coded := guarded(t, c.coded[:len(c.coded)&^1-2*i])
		for k := 3 + i; k < len(coded); k += 97 {
			coded[k] ^= byte(k + i)
		}
		clear(dst)
		err := c.decode(dst, coded)
		got := fmt.Appendf(nil, "%v %x", err, dst)
		id := fmt.Sprint(name, i)
		if want, ok := before[id]; ok && !bytes.Equal(got, want) {
			t.Fatalf("%s: another backend decodes other symbols", id)
		}
		before[id] = got
	}
}

func guardedOrNil(t *testing.T, b []byte) []byte {
	if b == nil {
		return nil
	}
	return guarded(t, b)
}

// Tables are alike on all backends, and end where they should.
func TestRANSTable(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	want := map[int]ransTable{}
	eachBackend(t, func(t *testing.T) {
		for i := range 200 {
			if i == 0 {
				r = rand.New(rand.NewPCG(5, 6))
			}
			counts := randomCounts(r)
			f, _, _ := chooseFrequencies(counts)
			table := (*ransTable)(unsafe.Pointer(unsafe.SliceData(guarded(t, make([]byte, 4*ransTotal)))))
			table.fill(f)
			if before, ok := want[i]; ok && before != *table {
				t.Fatalf("table %d differs from another backend's: %v", i, f)
			}
			want[i] = *table
		}
		ends := frequencies{1, 0, ransTotal - 9, 1, 7} // the slots of the last do not fill a vector
		var table ransTable
		table.fill(ends)
		for slot, e := range table {
			first, s := 0, 0
			for slot >= first+int(ends[s]) {
				first += int(ends[s])
				s++
			}
			if want := uint32(ends[s]) | uint32(slot-first)<<12 | uint32(s)<<24; e != want {
				t.Fatalf("slot %d is %08x, want %08x", slot, e, want)
			}
		}
	})
}

// Bytes are looked up alike on all backends, whatever their number and the
// table's, between guard pages.
func TestLookUp(t *testing.T) {
	eachBackend(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(7, 8))
		var table [256]byte
		for i := range table {
			table[i] = byte(r.IntN(16))
		}
		for _, symbols := range []int{1, 2, 15, 16, 17, 100, 255, 256} {
			for _, n := range []int{0, 1, 63, 64, 65, 128, 1000} {
				src, dst := guarded(t, make([]byte, n)), guarded(t, make([]byte, n))
				for i := range src {
					src[i] = byte(r.IntN(symbols))
				}
				lookUp(dst, src, &table, symbols)
				for i, v := range dst {
					if v != table[src[i]] {
						t.Fatalf("byte %d of %d, of %d symbols: %d, want %d", i, n, symbols, v, table[src[i]])
					}
				}
			}
		}
	})
}

func BenchmarkRANSTable(b *testing.B) {
	c := codeLanes(100, 2, false)
	var counts [256]uint32
	countBytes(&counts, c.symbols)
	f, _, _ := chooseFrequencies(counts[:])
	for _, backend := range Backends() {
		b.Run(backend, func(b *testing.B) {
			if err := SetBackend(backend); err != nil {
				b.Fatal(err)
			}
			var t ransTable
			for b.Loop() {
				t.fill(f)
			}
		})
	}
}

func BenchmarkLanes(b *testing.B) {
	for _, backend := range Backends() {
		for log2 := uint(minLanesLog2); log2 <= maxLanesLog2; log2++ {
			for _, classes := range []bool{false, true} {
				b.Run(fmt.Sprintf("%s/%d/%v", backend, 1<<log2, classes), func(b *testing.B) {
					if err := SetBackend(backend); err != nil {
						b.Fatal(err)
					}
					const n = 1 << 16
					c := codeLanes(n, log2, classes)
					dst := make([]byte, n)
					b.SetBytes(n)
					for b.Loop() {
						if err := c.decode(dst, c.coded); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}
