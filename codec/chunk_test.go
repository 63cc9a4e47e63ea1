package codec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
)

// A header of many models with many tables, each for two blocks, is no claim on
// memory: tables beyond a bound are not kept.
func TestTablesAreBounded(t *testing.T) {
	e := NewEncoder(Scape, 0)
	e.SetLevel(Small)
	enc, err := e.Encode(scaledBF16(200, 200, false), BF16, []Part{{Shape: []int64{200, 200}}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := ParseChunk(enc.Header, 2*40_000)
	if err != nil || c.models[0].streams[0].coder != coderContexts {
		t.Fatalf("no contexts to begin with: %v", err)
	}
	model := c.models[0].marshal(nil)
	const models = MaxModels
	h := binary.AppendUvarint([]byte{byte(Scape)}, models)
	h = append(binary.AppendUvarint(h, 2*models), bytes.Repeat(model, models)...)
	for k := range 2 * models {
		h = (&Block{Len: 2, model: k / 2}).marshal(h)
	}
	c, err = ParseChunk(h, 2*2*models)
	if err != nil {
		t.Fatal(err)
	}
	if all := models * c.models[0].memSize(); all < 2*maxMemSize {
		t.Fatalf("%d bytes of tables prove nothing", all)
	}
	if c.MemSize() > maxMemSize+models*(maxClasses*1024+4096) {
		t.Errorf("%d bytes of tables", c.MemSize())
	}
	if kept := c.models[models-1].streams[0].kept; kept {
		t.Error("the last model's tables are kept")
	}
}

// A block that has no room for what its streams take in any case is corrupt.
func TestAccountOfTooShortBlocks(t *testing.T) {
	table := writeFrequencies(nil, frequencies{1, ransTotal - 1}, exactPrecision)
	model := append([]byte{byte(splitPlain), byte(coderRANS), minLanesLog2}, table...)
	for stored, ok := range map[int]bool{4<<minLanesLog2 - 1: false, 4 << minLanesLog2: true} {
		h := append([]byte{byte(Scape), 1, 1}, model...)
		c, err := ParseChunk((&Block{Len: 10, StoredLen: stored}).marshal(h), 10)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Account(); (err == nil) != ok || err != nil && !errors.Is(err, ErrCorrupt) {
			t.Errorf("%d bytes: %v", stored, err)
		}
	}
}
