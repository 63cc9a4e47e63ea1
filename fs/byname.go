package fs

const (
	// maxMargin is how far before what its reader wants the kernel begins to read, and
	// how far behind it it reads on, at most.
	maxMargin = 4 << 20

	largestPage = 64 << 10 // bytes
)

// margin is how many bytes the kernel reads around what its reader wants. They are
// decoded ahead as well: a fault waits for all that is read around it.
type margin struct{ before, behind int64 }

// hop finds the stream that goes on with a read of [off, end) by the names of
// tensors: it has come to the end of the one before. The next may begin as far as
// reach behind the read: the kernel begins to read before what is wanted.
func (s *streams) hop(off, end, reach int64) *cursor {
	if s.order == nil {
		return nil
	}
	tensors := s.order.tensors
	for i := s.order.first(off); i < len(tensors) && tensors[i].begin < end+reach; i++ {
		if off > tensors[i].begin+minWindow {
			continue // in its midst
		}
		for j := range s.cursors {
			c := &s.cursors[j]
			near := func(tail int64) bool {
				return c.feed != nil && tail <= c.next+minWindow && tail >= c.next-maxReorder
			}
			if s.order.before(i, near) {
				s.land(c, i, off, end)
				return c
			}
		}
	}
	return nil
}

// follow reports whether a read of [off, end) is in the tensor where a cursor that hops
// is, or in one that follows it both by name and in the file; there the cursor is now.
func (c *cursor) follow(o *order, off, end int64) bool {
	for i := c.tensor; ; i++ {
		if o.tensors[i].meets(off, end) {
			c.tensor = i
			return true
		}
		if !o.goesOn(i) || o.tensors[i+1].begin >= end {
			return false
		}
	}
}

// land puts a cursor that hops into tensor i, from its read of [off, end) on.
func (s *streams) land(c *cursor, i int, off, end int64) {
	if !c.hops { // what was asked for in the order of the file is not needed yet
		c.feed.turned.Store(true)
		c.feed, c.hops, c.ahead = new(feed), true, 0
	}
	begin := s.order.tensors[i].begin
	c.tensor, c.next = i, max(end, begin)
	c.margin.before = min(max(c.margin.before, begin-off), maxMargin)
}

// readOn notes that a cursor that hops read up to end.
func (c *cursor) readOn(o *order, end int64) {
	c.margin.behind = min(max(c.margin.behind, end-o.tensors[c.tensor].end), maxMargin)
}

// beginByName follows a new reader that begins with the first tensor by name, unless
// that is the first of the file, too.
func (s *streams) beginByName(off, end, reach int64) *cursor {
	if s.order == nil || s.order.named[0] == 0 {
		return nil
	}
	first := s.order.named[0]
	if begin := s.order.tensors[first].begin; off > begin+minWindow || begin >= end+reach {
		return nil
	}
	c := s.begin(off, end)
	c.run = 0 // the caller counts it
	s.land(c, first, off, end)
	return c
}

// askByName is ask for a reader that hops.
func (c *cursor) askByName(o *order, chunkEnd func(int64) int64) (spans []span) {
	t := o.tensors[c.tensor]
	at := t.step + min(c.next, t.end) - t.begin
	from, to := max(c.ahead, at), at+c.window
	if to-from < max(c.window/4, 1) {
		return nil
	}
	if to = o.within(at, to, 2*c.window+maxMargin, c.margin); to <= from {
		return nil
	}
	if rest := o.rest(to, chunkEnd); rest <= c.window/2 {
		to += rest
	}
	c.ahead = to
	for _, part := range o.parts(from, to, c.margin) {
		spans = append(spans, span{part.begin, part.end, c.feed})
	}
	return spans
}

// doubt gives how far ahead to ask for a reader that may go on by name at the end of
// a tensor: not far beyond, until it has read on there. limit is the end of the file.
func (c *cursor) doubt(o *order, limit int64) int64 {
	if c.leap == 0 {
		c.leap = o.leap(c.next, limit)
	}
	if c.next > c.leap+maxMargin {
		c.leap = limit
	}
	return min(c.leap+2*maxMargin, limit)
}
