package codec

import (
	"encoding/binary"
	"fmt"
	"sort"
)

// Block is a part of a chunk that can be decoded alone.
type Block struct {
	Off, Len             int    // original bytes, from the chunk's start
	StoredOff, StoredLen int    // coded bytes, from the payload's start
	Sum                  uint64 // xxh3-64 of the original bytes
	model                int
	runOff               int // of a selection: original bytes of its run before the block
}

// Chunk is a parsed chunk header. It is safe for concurrent use.
type Chunk struct {
	method  Method
	models  []*model
	blocks  []Block
	payload int
	memSize int
}

// ParseChunk parses the header of a chunk of size original bytes that needs no
// profile (docs/format.md, "Chunk header").
func ParseChunk(header []byte, size int) (*Chunk, error) {
	return (*Profile)(nil).ParseChunk(header, size)
}

// ParseChunk parses the header of a chunk of size original bytes that may have
// been coded by p.
func (p *Profile) ParseChunk(header []byte, size int) (*Chunk, error) {
	if size < 1 || size > MaxChunkLen || len(header) > MaxHeaderLen {
		return nil, fmt.Errorf("%w: %d bytes with a header of %d", ErrCorrupt, size, len(header))
	}
	if len(header) == 0 {
		return nil, errShortHeader
	}
	c := &Chunk{method: Method(header[0])}
	models, b, err := readUvarint(header[1:], MaxModels)
	if err != nil {
		return nil, err
	}
	blocks, b, err := readUvarint(b, MaxBlocks)
	if err != nil {
		return nil, err
	}
	if models == 0 || blocks < models {
		return nil, fmt.Errorf("%w: %d models for %d blocks", ErrCorrupt, models, blocks)
	}
	for range models {
		m, rest, err := parseModel(b, p)
		if err != nil {
			return nil, err
		}
		c.models, b = append(c.models, m), rest
		if m.sel != nil && m.sel.count > size/m.sel.width {
			return nil, fmt.Errorf("%w: selection among %d indices in a chunk of %d bytes", ErrCorrupt, m.sel.count, size)
		}
	}
	if err := c.parseBlocks(b, int(blocks), size); err != nil {
		return nil, err
	}
	for _, m := range c.models {
		size := m.memSize()
		if c.memSize+size > maxMemSize {
			m.keepNothing()
			size = m.memSize()
		}
		c.memSize += size
	}
	return c, nil
}

// maxMemSize bounds what tables of a chunk are kept: beyond it, they are made
// anew for each block. No encoder comes near it; a header of a few bytes a model
// could otherwise claim a thousand times its size.
const maxMemSize = 64 << 20

// minBlockEntry is the fewest bytes that an entry of the block table takes.
const minBlockEntry = 1 + 1 + 1 + 8

func (c *Chunk) parseBlocks(b []byte, n, size int) error {
	if len(b) < n*minBlockEntry {
		return errShortHeader
	}
	c.blocks = make([]Block, n)
	c.memSize += n * 64
	off := 0
	for i := range c.blocks {
		block := &c.blocks[i]
		var v [3]uint64
		for k, limit := range [...]uint64{MaxBlockLen, uint64(len(c.models) - 1), MaxChunkLen} {
			var err error
			if v[k], b, err = readUvarint(b, limit); err != nil {
				return err
			}
		}
		if len(b) < 8 {
			return errShortHeader
		}
		*block = Block{Off: off, Len: int(v[0]), model: int(v[1]), StoredOff: c.payload, StoredLen: int(v[2]),
			Sum: binary.LittleEndian.Uint64(b)}
		b = b[8:]
		if block.Len == 0 || block.Len%c.models[block.model].width() != 0 {
			return fmt.Errorf("%w: block of %d bytes", ErrCorrupt, block.Len)
		}
		c.models[block.model].useOnce()
		if err := c.placeInRun(i); err != nil {
			return err
		}
		off += block.Len
		c.payload += block.StoredLen
	}
	if off != size || len(b) != 0 || c.payload > MaxChunkLen+MaxHeaderLen {
		return fmt.Errorf("%w: blocks of %d bytes for a chunk of %d, %d bytes over", ErrCorrupt, off, size, len(b))
	}
	return nil
}

func (b *Block) marshal(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(b.Len))
	dst = binary.AppendUvarint(dst, uint64(b.model))
	dst = binary.AppendUvarint(dst, uint64(b.StoredLen))
	return binary.LittleEndian.AppendUint64(dst, b.Sum)
}

// Method is the method that the chunk was coded with.
func (c *Chunk) Method() Method { return c.method }

// NumBlocks is the number of blocks, at least one.
func (c *Chunk) NumBlocks() int { return len(c.blocks) }

// Block describes block i.
func (c *Chunk) Block(i int) Block { return c.blocks[i] }

// Find gives the block that holds original byte off of the chunk.
func (c *Chunk) Find(off int) int {
	return sort.Search(len(c.blocks), func(i int) bool { return c.blocks[i].Off > off }) - 1
}

// PayloadLen is the number of coded bytes that follow the header.
func (c *Chunk) PayloadLen() int { return c.payload }

// MemSize is about how many bytes the parsed header holds, tables included.
func (c *Chunk) MemSize() int { return c.memSize }
