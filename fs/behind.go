package fs

import (
	"sync/atomic"

	"github.com/scapefs/scapefs/archive"
	"golang.org/x/sys/unix"
)

// segmentLen is how many coded bytes are dropped at a time. Of much less the
// kernel, whose folios are large, lets little go.
const segmentLen = 8 << 20

// behind follows a stream through the coded bytes, in segments.
type behind struct{ last atomic.Int64 }

// enter notes that what lies at pos of the archive was decoded, and gives the
// offset of a segment that the stream has left behind: the last but one, as pieces
// are decoded out of order. A stream that hops has left nothing behind at first.
func (b *behind) enter(pos int64) (drop int64, left bool) {
	segment := pos / segmentLen
	last := b.last.Load()
	if segment == last || segment == last-1 || !b.last.CompareAndSwap(last, segment) {
		return 0, false
	}
	return (segment - 2) * segmentLen, segment == last+1 && segment >= 2
}

// dropBehind takes coded bytes that the stream of feed is done with out of memory
// when that is short: the decoded ones, which the kernel has by then, would have
// to make way for them. Where there is room they stay, for who reads the archive again
// by a mount of his own.
func (fs *filesystem) dropBehind(r *archive.Reader, f *feed, chunk int) {
	if drop, left := f.behind.enter(r.Index().Rows[chunk].Pos); left && fs.memoryIsShort() {
		r.Drop(drop, segmentLen)
	}
}

// memoryIsShort reports whether little of the machine's memory is free, caches not
// counted.
func (fs *filesystem) memoryIsShort() bool {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return false
	}
	return float64(info.Freeram) < float64(info.Totalram)*fs.leastFree
}
