package fs

import (
	"math/rand/v2"
	"testing"
)

const mib = 1 << 20

func newStreams(size, perStream, total int64) *streams {
	return &streams{size: size, share: &share{perStream: perStream, total: total}}
}

// byByte is the end of a chunk where there are none.
func byByte(off int64) int64 { return off + 1 }

// Who begins with the file most likely reads all of it, so more is asked for at once than
// for one who begins elsewhere, whichever of the kernel's first two reads comes first.
func TestMoreIsAskedForAtTheBeginningOfAFile(t *testing.T) {
	for _, tt := range []struct{ first, second, want int64 }{
		{0, mib, allWindow}, {mib, 0, allWindow}, {5 * mib, 6 * mib, 2 * mib},
	} {
		s := newStreams(256*mib, 32*mib, 64*mib)
		s.read(tt.first, tt.first+mib, byByte)
		a, ok := readOne(s, tt.second, tt.second+mib)
		if from := max(tt.first, tt.second) + mib; !ok || a.off != from || a.end != from+tt.want {
			t.Errorf("reads at %d and %d: asks for [%d, %d), want %d from %d on", tt.first, tt.second, a.off, a.end, tt.want, from)
		}
	}
}

// What is asked for ends with a chunk, if that is not much more than the window.
func TestSpansEndWithChunks(t *testing.T) {
	const chunk = 4*mib + 4096
	chunkEnd := func(off int64) int64 { return off/chunk*chunk + chunk }
	s := newStreams(256*chunk, 32*mib, 64*mib)
	var last, asked int64
	for off := int64(0); off < 64*mib; off += mib {
		for _, a := range s.read(off, off+mib, chunkEnd) {
			if last != 0 && a.off != last {
				t.Errorf("asked from %d on, before up to %d", a.off, last)
			}
			last = a.end
			if ahead := a.end - off - mib; ahead > 32*mib+chunk {
				t.Errorf("%d bytes ahead", ahead)
			}
			if off < 16*mib {
				continue // the window grows
			}
			asked++
			if a.end%chunk != 0 {
				t.Errorf("asked up to %d", a.end)
			}
		}
	}
	if asked == 0 {
		t.Error("asked for nothing")
	}
}

// readOne is for streams that ask for one span at a time.
func readOne(s *streams, off, end int64) (span, bool) {
	spans := s.read(off, end, byByte)
	if len(spans) == 0 {
		return span{}, false
	}
	return spans[0], true
}

// readAll reads [from, to) in steps and gives what was asked for ahead.
func readAll(s *streams, from, to, step int64) (spans []span) {
	for off := from; off < to; off += step {
		if a, ok := readOne(s, off, min(off+step, to)); ok {
			spans = append(spans, a)
		}
	}
	return spans
}

func TestSequentialReadersAreReadAhead(t *testing.T) {
	const size = 256 * mib
	for _, step := range []int64{4 << 10, 128 << 10, mib, 8 * mib} {
		s := newStreams(size, 64*mib, 1024*mib)
		var at, bytes int64
		for off := int64(0); off < size; off += step {
			a, ok := readOne(s, off, off+step)
			if !ok {
				continue
			}
			switch {
			case a.off < off+step:
				t.Fatalf("step %d: asks for %d after a read up to %d", step, a.off, off+step)
			case a.off < at:
				t.Fatalf("step %d: asks for %d again", step, a.off)
			case a.end > off+step+64*mib || a.end > size || a.end <= a.off:
				t.Fatalf("step %d: asks for [%d, %d) after a read up to %d", step, a.off, a.end, off+step)
			}
			at = a.end
			bytes += a.end - a.off
		}
		if least := int64(size - 4*max(step, minRun)); bytes < least {
			t.Errorf("step %d: %d bytes read ahead, want at least %d", step, bytes, least)
		}
		if n := s.share.active.Load(); n != 0 {
			t.Errorf("step %d: %d streams active at the end of the file", step, n)
		}
	}
}

func TestRandomReadsAreNot(t *testing.T) {
	const size = 64 << 30
	s := newStreams(size, 64*mib, 1024*mib)
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		off := rnd.Int64N(size-4096) &^ 4095
		if a, ok := readOne(s, off, off+4096); ok {
			t.Fatalf("a random read of 4 KiB at %d asks for [%d, %d)", off, a.off, a.end)
		}
	}
}

// The kernel's own readahead sends the reads of one reader in any order.
func TestReadsOutOfOrderStayOneStream(t *testing.T) {
	const size = 512 * mib
	s := newStreams(size, 64*mib, 1024*mib)
	rnd := rand.New(rand.NewPCG(3, 4))
	readAll(s, 0, 16*mib, mib)
	for base := int64(16 * mib); base < size; base += 8 * mib {
		for _, i := range rnd.Perm(8) {
			off := base + int64(i)*mib
			s.read(off, off+mib, byByte)
		}
	}
	used := 0
	for _, c := range s.cursors {
		if c.feed != nil {
			used++
		}
	}
	if used != 1 {
		t.Errorf("%d streams", used)
	}
}

func TestInterleavedReadersKeepTheirStreams(t *testing.T) {
	const size, readers = 4096 * mib, maxAhead
	s := newStreams(size, 64*mib, 1024*mib)
	asked := make([]int64, readers)
	for step := range int64(64) {
		for i := range int64(readers) {
			off := i*size/readers + step*mib
			if a, ok := readOne(s, off, off+mib); ok {
				asked[i] += a.end - a.off
			}
		}
	}
	for i, n := range asked {
		if n < 60*mib {
			t.Errorf("reader %d: %d bytes read ahead of 64 MiB", i, n)
		}
	}
	if n := s.share.active.Load(); n != readers {
		t.Errorf("%d streams active, want %d", n, readers)
	}
}

// together has n readers, each of a file of its own, take turns for so many
// steps of 1 MiB, and gives the most that was asked for at once in the last turn.
func together(sh *share, files []*streams, steps int64) (most int64) {
	for step := range steps {
		most = 0
		for _, s := range files {
			if a, ok := readOne(s, step*mib, (step+1)*mib); ok {
				most = max(most, a.end-a.off)
			}
		}
	}
	return most
}

func TestStreamsShareWhatMayBeReadAhead(t *testing.T) {
	for _, tt := range []struct {
		readers int
		window  int64
	}{{1, 64 * mib}, {2, 64 * mib}, {4, 32 * mib}, {16, 8 * mib}, {17, 0}, {32, 0}} {
		sh := &share{perStream: 64 * mib, total: 128 * mib}
		files := make([]*streams, tt.readers)
		for i := range files {
			files[i] = &streams{size: 1 << 40, share: sh}
		}
		most := together(sh, files, 300)
		if w := sh.window(); w != tt.window || most > w {
			t.Errorf("%d readers: window of %d, want %d; asked for %d", tt.readers, w, tt.window, most)
		}
		active := int64(tt.readers)
		if tt.window == 0 {
			active = 0
		}
		if n := sh.active.Load(); n != active {
			t.Errorf("%d readers: %d active", tt.readers, n)
		}
		for _, s := range files[1:] {
			s.stop()
		}
		if w := sh.window(); w != 64*mib {
			t.Errorf("%d readers, of which one is left: window of %d", tt.readers, w)
		}
	}
}

// A reader that pauses has no part in the division after a while.
func TestPausedStreamGivesItsShareAway(t *testing.T) {
	sh := &share{perStream: 64 * mib, total: 64 * mib}
	one, other := &streams{size: 1 << 40, share: sh}, &streams{size: 1 << 40, share: sh}
	together(sh, []*streams{one, other}, 64)
	if w := sh.window(); w != 32*mib {
		t.Errorf("two readers have %d each", w)
	}
	readAll(one, 64*mib, (64+recentReads)*mib, mib)
	if w := sh.window(); w != 64*mib {
		t.Errorf("the one that goes on has %d", w)
	}
}

// Small reads at random places, as of tables, take nothing from a stream.
func TestRandomReadsLeaveAStreamItsShare(t *testing.T) {
	s := newStreams(1<<40, 64*mib, 1024*mib)
	rnd := rand.New(rand.NewPCG(5, 6))
	for step := range int64(100) {
		s.read(step*mib, (step+1)*mib, byByte)
		for range 3 {
			off := 1<<39 + rnd.Int64N(1<<38)&^4095
			s.read(off, off+4096, byByte)
		}
	}
	if w := s.share.window(); w != 64*mib {
		t.Errorf("window of %d", w)
	}
}

func TestReplacedAndStoppedStreamsAreCancelled(t *testing.T) {
	s := newStreams(1<<40, 64*mib, 1024*mib)
	first := readAll(s, 0, 8*mib, mib)[0].feed
	if first.stopped.Load() || first.passed.Load() != 8*mib {
		t.Fatalf("stopped %v, passed %d", first.stopped.Load(), first.passed.Load())
	}
	for i := range int64(maxCursors) { // as many other readers push it out
		s.read((i+1)<<32, (i+1)<<32+mib, byByte)
	}
	if !first.stopped.Load() {
		t.Error("a replaced stream is not cancelled")
	}
	last := readAll(s, 1<<39, 1<<39+2*recentReads*mib, mib)[0].feed
	s.stop()
	if !last.stopped.Load() || s.share.active.Load() != 0 {
		t.Errorf("stopped %v, %d active", last.stopped.Load(), s.share.active.Load())
	}
}

func TestGivenBackIsAskedForAgain(t *testing.T) {
	s := newStreams(1<<40, 64*mib, 1024*mib)
	spans := readAll(s, 0, 8*mib, mib)
	a := spans[len(spans)-1]
	s.giveBack(a.feed, a.off)
	next, ok := readOne(s, 8*mib, 9*mib)
	if !ok || next.off > max(a.off, 9*mib) {
		t.Errorf("asks for %v (%v), want it from %d", next, ok, a.off)
	}
}

func TestNoReadahead(t *testing.T) {
	s := newStreams(1<<30, -1, 1024*mib)
	if spans := readAll(s, 0, 1<<30, mib); len(spans) != 0 {
		t.Errorf("%d spans", len(spans))
	}
}
