package codec

import "fmt"

// Account says what the bytes of a chunk's header and payload are there for. They
// add up to the length of both.
type Account struct {
	Params int // of the header: method, splits, coders and their parameters
	Tables int // alphabets, frequencies, code lengths, classes, what a selection selects
	Blocks int // the block table, but for its sums
	Sums   int // checksums of the blocks

	Coded  int // of the payload: what coders made of symbols, with its lengths
	States int // states that rANS begins with
	Raw    int // bits and bytes as they were
}

// Header is the length of the chunk's header.
func (a Account) Header() int { return a.Params + a.Tables + a.Blocks + a.Sums }

// Payload is the length of the chunk's payload.
func (a Account) Payload() int { return a.Coded + a.States + a.Raw }

// Account says what the bytes of the chunk are. The error wraps ErrCorrupt: a
// block has fewer bytes than its streams take.
func (c *Chunk) Account() (a Account, err error) {
	a.Params = 1 + uvarintLen(len(c.models)) + uvarintLen(len(c.blocks))
	for _, m := range c.models {
		tables := m.tablesLen()
		a.Tables += tables
		a.Params += len(m.marshal(nil)) - tables
	}
	for i := range c.blocks {
		b := &c.blocks[i]
		a.Sums += sumLen
		a.Blocks += len(b.marshal(nil)) - sumLen
		states, raw := c.models[b.model].fixedParts(b)
		if b.StoredLen < states+raw {
			return a, fmt.Errorf("%w: block %d of %d bytes, where %d are states and raw", ErrCorrupt, i, b.StoredLen, states+raw)
		}
		a.States += states
		a.Raw += raw
		a.Coded += b.StoredLen - states - raw
	}
	return a, nil
}

const sumLen = 8

func uvarintLen(v int) (n int) {
	for n = 1; v >= 1<<7; v >>= 7 {
		n++
	}
	return n
}

// tablesLen is how many bytes of m in the header depend on what it codes.
func (m *model) tablesLen() (n int) {
	if m.sel != nil {
		n += len(m.sel.coded)
	}
	if m.split.kind == splitTop {
		n += len(m.split.alpha.marshal(nil))
	}
	for i := range m.streams {
		s := &m.streams[i]
		if s.distribution > 0 {
			continue // they are in the profile
		}
		n += len(s.table)
		if s.coder == coderContexts {
			n += len(s.context.marshal(nil))
		}
	}
	return n
}

// fixedParts gives how many bytes of block b, one of m, are states and raw ones.
func (m *model) fixedParts(b *Block) (states, raw int) {
	n := b.Len / m.split.width
	if s := m.sel; s != nil {
		all := b.Len / s.width
		coded := s.codedOf(b.runOff/s.width, all)
		raw += s.signsLen(all - coded)
		n = coded * s.width / m.split.width
	}
	if n == 0 {
		return 0, raw
	}
	for i := range m.streams {
		s := &m.streams[i]
		switch s.coder {
		case coderRANS, coderContexts:
			states += 4 << s.lanesLog2
		default:
			length, _ := s.fixedLen(n)
			raw += length
		}
	}
	return states, raw
}
