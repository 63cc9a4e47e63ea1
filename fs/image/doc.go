// Package image shows the kernel ranges of bytes, made up as they are asked for,
// as files of a file system of its own: EROFS, on a loop device, whose blocks a
// FUSE connection that nothing else uses serves. None of the three stands in
// the tree of files; what Open gives is passed on as the backing file of others.
//
// The detour pays because EROFS keeps what was read in large folios, where FUSE
// keeps pages of 4 KiB. It takes root, and Linux 6.9 or later for the passing on.
//
// It must not know archives, codecs or caches.
package image
