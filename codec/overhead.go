package codec

// Overhead is what a chunk takes beside its coded symbols, in bytes.
type Overhead struct {
	Models int // splits, alphabets and tables, in the chunk's header
	Blocks int // the rest of the header: the block table
	States int // lanes' final states, in the payload
}

// Overhead tells what c takes beside its coded symbols.
func (c *Chunk) Overhead() (o Overhead) {
	var buf []byte
	for _, m := range c.models {
		buf = m.marshal(buf[:0])
		o.Models += len(buf)
	}
	o.Blocks = len(appendHeader(buf[:0], c.method, c.models, c.blocks)) - o.Models
	for i := range c.blocks {
		streams := c.models[c.blocks[i].model].streams
		for k := range streams {
			if s := &streams[k]; s.coder == coderRANS || s.coder == coderContexts {
				o.States += 4 << s.lanesLog2
			}
		}
	}
	return o
}

// Frequencies gives the frequencies, of 4096 in all, that cost fewest bits for
// symbols that occur counts times: what a table without rounding would hold. It
// takes 2 to 256 symbols, all of which occur.
func Frequencies(counts []uint32) []uint16 { return fitFrequencies(counts) }
