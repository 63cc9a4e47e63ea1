package codec

import (
	"encoding/binary"
	"errors"
	"runtime"
	"testing"

	"github.com/zeebo/xxh3"
)

// A short header must not ask for much memory: places without bits would.
func TestShortHeaderTakesLittleMemory(t *testing.T) {
	const models = 300
	var header []byte
	header = append(header, byte(Scape))
	header = binary.AppendUvarint(header, models)
	header = binary.AppendUvarint(header, models)
	for range models {
		header = append(header, byte(splitPlain), byte(coderContexts), 2, byte(contextPlace), 2, 1, 0)
		header = binary.AppendUvarint(header, 1)
		header = binary.AppendUvarint(header, maxPlaces)
		header = append(header, 0, 0)
		for range 2 {
			header = writeFrequencies(header, fitFrequencies([]uint32{1, 1}), exactPrecision)
		}
	}
	for i := range models {
		header = (&Block{Len: 1, model: i, StoredLen: 1}).marshal(header)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := ParseChunk(header, models)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, ErrCorrupt) {
		t.Errorf("got %v", err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 16<<20 {
		t.Errorf("a header of %d bytes took %d", len(header), took)
	}
}

// What a parsed header is said to hold is no less than half of what it does.
func TestMemSizeOfManyModels(t *testing.T) {
	const models = MaxModels
	header := binary.AppendUvarint([]byte{byte(Zstd19ByteGrouped)}, models)
	header = binary.AppendUvarint(header, models)
	for range models {
		header = append(header, byte(splitPlanes), 8, 1)
		for range 8 {
			header = append(header, byte(coderStored))
		}
	}
	for i := range models {
		header = (&Block{Len: 8, model: i, StoredLen: 8}).marshal(header)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	c, err := ParseChunk(header, 8*models)
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if held := int(after.HeapAlloc) - int(before.HeapAlloc); c.MemSize() < held/2 {
		t.Errorf("said to hold %d bytes, holds %d", c.MemSize(), held)
	}
	runtime.KeepAlive(c)
}

// oneBlock is a chunk of one block that m decodes payload to; sum is of data.
func oneBlock(t *testing.T, m *model, data, payload []byte) (*Chunk, error) {
	t.Helper()
	b := Block{Len: len(data), StoredLen: len(payload), Sum: xxh3.Hash(data)}
	return ParseChunk(appendHeader(nil, Scape, []*model{m}, []Block{b}), len(data))
}

// A symbol that no encoder gives is refused before it is put together with
// others: backends could read it as different bytes.
func TestSymbolsBeyondTheirStream(t *testing.T) {
	const n = 256
	top := func(alpha alphabet) *model {
		alpha.bound = 1 << 9
		m := newModel(split{kind: splitTop, width: 2, raw: 7, sign: signNone, alpha: alpha})
		m.streams[0].coder, m.streams[1].coder = coderStored, coderStored
		return m
	}
	for name, c := range map[string]struct {
		m           *model
		symbol, raw byte
		ok          bool
	}{
		"sound":                {top(alphabet{base: 400}), 111, 127, true},
		"value beyond bits":    {top(alphabet{base: 400}), 112, 0, false},
		"raw bits beyond 7":    {top(alphabet{base: 400}), 0, 128, false},
		"symbol not in a list": {top(alphabet{kind: alphabetList, list: []uint16{3, 9}}), 2, 0, false},
		"symbol of a list":     {top(alphabet{kind: alphabetList, list: []uint16{3, 9}}), 1, 5, true},
	} {
		payload := append(repeated(c.symbol, n), repeated(c.raw, n)...)
		unit := uint16(c.m.split.alpha.value(int(c.symbol)))<<7 | uint16(c.raw)&127
		var data []byte
		for range n {
			data = binary.LittleEndian.AppendUint16(data, unit)
		}
		t.Run(name, func(t *testing.T) {
			eachBackend(t, func(t *testing.T) {
				chunk, err := oneBlock(t, c.m, data, payload)
				if err != nil {
					t.Fatal(err)
				}
				err = NewDecoder().Decode(chunk, 0, make([]byte, len(data)), payload, nil)
				if c.ok && err != nil || !c.ok && !errors.Is(err, ErrCorrupt) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
	m := top(alphabet{base: 500})
	m.streams[0].coder, m.streams[0].constant = coderConstant, 12
	if _, err := oneBlock(t, m, make([]byte, 2), make([]byte, 1)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a constant beyond the alphabet: %v", err)
	}
	m = top(alphabet{base: 500})
	m.streams[0].coder, m.streams[0].lanesLog2 = coderRANS, minLanesLog2
	m.streams[0].table = writeFrequencies(nil, fitFrequencies(thirteen()), exactPrecision)
	if _, err := oneBlock(t, m, make([]byte, 2), make([]byte, 17)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a table beyond the alphabet: %v", err)
	}
}

// thirteen counts 13 symbols, one more than stand for a value from 500 to 511.
func thirteen() []uint32 {
	counts := make([]uint32, 13)
	for i := range counts {
		counts[i] = 1
	}
	return counts
}

func repeated(v byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = v
	}
	return b
}
