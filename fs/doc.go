// Package fs shows a folder of archives as the plain files they came from.
//
// It is a read-only go-fuse tree over a source folder. Names alone decide what
// is an archive (names.go), so that listing a folder opens none. A READ is cut
// into blocks, each of which is pinned in the cache, decoded first when it is
// missing, and written to the kernel without a copy (read.go). Sequential
// readers are recognised (stream.go) and decoded ahead of (readahead.go).
//
// An inode stands for one generation of an archive: its device, inode, size
// and times. A source that has been replaced becomes a new inode with its own
// kernel pages and cache entries, so that old and new bytes never mix.
//
// The package joins archive and cache; it knows nothing of how bytes are
// coded, nor of command lines.
package fs
