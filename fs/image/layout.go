package image

import (
	"encoding/binary"
	"fmt"
	"syscall"
)

// The image, in blocks: the superblock with the root's inode, the root's
// directory, an inode for each file in a block of its own, lest the kernel keep a
// block with inodes that are still to come, and the files, with a block between
// each two of them, so that no request of the block layer spans both.
//
// The structures are those of Documentation/filesystems/erofs.rst and
// fs/erofs/erofs_fs.h of Linux: flat and uncompressed, inodes of 64 bytes.
const (
	blockSize = 4096

	maxFiles     = 1 << 14
	namesInBlock = 128
	dirBlock     = 1
	dirBlocks    = maxFiles / namesInBlock
	inodeBlock   = 256
	dataBlock    = 1 << 15
	maxBlocks    = 1<<32 - 1 // block numbers have 32 bits

	superOffset = 1024
	superMagic  = 0xe0f5e1e2
	rootOffset  = superOffset + 128
	inodeUnit   = 32 // what inode numbers count in
)

// fileName is the name of file i, in the order of numbers.
func fileName(i int) string { return fmt.Sprintf("%06x", i) }

func appendInode(b []byte, mode uint16, size int64, block uint32, number, links uint32) []byte {
	const extended, flat = 1, 0 << 1
	b = binary.LittleEndian.AppendUint16(b, extended|flat)
	b = binary.LittleEndian.AppendUint16(b, 0) // no extended attributes
	b = binary.LittleEndian.AppendUint16(b, mode)
	b = binary.LittleEndian.AppendUint16(b, 0)
	b = binary.LittleEndian.AppendUint64(b, uint64(size))
	b = binary.LittleEndian.AppendUint32(b, block)
	b = binary.LittleEndian.AppendUint32(b, number)
	b = append(b, make([]byte, 4+4+8+4)...) // owner, group, time
	b = binary.LittleEndian.AppendUint32(b, links)
	return append(b, make([]byte, 16)...)
}

// superBlock is the first block.
func superBlock() []byte {
	b := make([]byte, blockSize)
	s := b[superOffset:]
	binary.LittleEndian.PutUint32(s[0:], superMagic)
	s[12] = 12 // blocks of 1<<12 bytes
	binary.LittleEndian.PutUint16(s[14:], rootOffset/inodeUnit)
	binary.LittleEndian.PutUint64(s[16:], 1+maxFiles)
	binary.LittleEndian.PutUint32(s[36:], maxBlocks)
	appendInode(b[:rootOffset], syscall.S_IFDIR|0o500, dirBlocks*blockSize, dirBlock, 1, 2)
	return b
}

// directoryBlock is block i of the directory: the entries of namesInBlock files,
// and then their names.
func directoryBlock(i int) []byte {
	const entrySize, regular = 12, 1
	b := make([]byte, 0, blockSize)
	var names []byte
	for file := i * namesInBlock; file < (i+1)*namesInBlock; file++ {
		b = binary.LittleEndian.AppendUint64(b, uint64(inodeBlock+file)*(blockSize/inodeUnit))
		b = binary.LittleEndian.AppendUint16(b, uint16(namesInBlock*entrySize+len(names)))
		b = append(b, regular, 0)
		names = append(names, fileName(file)...)
	}
	return append(b, names...)[:blockSize]
}

// fileInode is the block of the inode of file i, of size bytes from block begin
// on.
func fileInode(i int, size int64, begin uint32) []byte {
	b := make([]byte, 0, blockSize)
	return appendInode(b, syscall.S_IFREG|0o400, size, begin, uint32(2+i), 1)[:blockSize]
}

// blocksOf is how many blocks size bytes take.
func blocksOf(size int64) int64 { return (size + blockSize - 1) / blockSize }
