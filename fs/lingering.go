package fs

import (
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sys/unix"
)

// Some archives that are closed stay open for those who have them mapped: of a
// file opened by way of an image, the kernel does not say when the last mapping
// ends, and the archive may be replaced before. They are maxLingering, or one
// for so many descriptors that may be open.
const (
	maxLingering        = 64
	descriptorsPerPlace = 8
)

// lingering holds a use of each of its archives.
type lingering struct {
	nodes *lru.Cache[*archiveNode, struct{}]
}

func newLingering() lingering {
	places := uint64(maxLingering)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err == nil {
		places = max(1, min(places, limit.Cur/descriptorsPerPlace))
	}
	// The only error is that there is no place.
	nodes, _ := lru.NewWithEvict(int(places), func(n *archiveNode, _ struct{}) { n.release() })
	return lingering{nodes}
}

// add takes over a use of n.
func (l lingering) add(n *archiveNode) {
	if found, _ := l.nodes.ContainsOrAdd(n, struct{}{}); found {
		l.nodes.Get(n) // the last to make room
		n.release()
	}
}

func (l lingering) remove(n *archiveNode) { l.nodes.Remove(n) }

func (l lingering) clear() { l.nodes.Purge() }
