package archive

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"

	"github.com/scapefs/scapefs/index"
	"github.com/scapefs/scapefs/internal/disk"
)

// UnpackOptions are the choices Unpack leaves to its caller.
type UnpackOptions struct {
	Jobs      int  // goroutines that decode; GOMAXPROCS if 0
	Overwrite bool // replace dst if it exists

	// Progress is told after every chunk how many bytes of the original are
	// done. It is called by one goroutine at a time.
	Progress func(done, total int64)

	fault func(disk.Op) error // tests make disks fail by it
}

// Unpack makes the original, as file dst with its mtime and mode, of the
// archive in r. dst appears only when all of it is on disk and its SHA-256 is
// right; otherwise nothing is left.
//
// The error wraps fs.ErrExist if dst exists, else those of Reader.Chunk.
func Unpack(ctx context.Context, dst string, r *Reader, opt UnpackOptions) error {
	if err := unpack(ctx, dst, r, opt); err != nil {
		return fmt.Errorf("unpack to %s: %w", dst, err)
	}
	return nil
}

func unpack(ctx context.Context, dst string, r *Reader, opt UnpackOptions) error {
	out, err := disk.Create(dst, disk.Options{Overwrite: opt.Overwrite, Fault: opt.fault})
	if err != nil {
		return err
	}
	defer out.Discard()
	d := newDecoding(r, opt.Progress)
	add := func(i int, c *decoded) error {
		if c.err != nil {
			return c.err
		}
		return d.add(i, c, out)
	}
	if err := ordered(ctx, jobsOrDefault(opt.Jobs), len(r.idx.Rows), d.newWorker, add); err != nil {
		return err
	}
	if err := d.checkSum(); err != nil {
		return err
	}
	if err := out.Finish(r.idx.Meta.Mode, r.idx.Meta.MTime); err != nil {
		return err
	}
	return out.Commit()
}

// decoding decodes a whole archive.
type decoding struct {
	r        *Reader
	progress func(done, total int64)
	sum      hash.Hash
	buffers  sync.Pool // of *decoded
}

// decoded is one chunk on its way from the archive.
type decoded struct {
	data, coded []byte
	err         error // wraps ErrCorrupt
}

func newDecoding(r *Reader, progress func(done, total int64)) *decoding {
	d := &decoding{r: r, progress: progressOrNone(progress), sum: sha256.New()}
	d.buffers.New = func() any { return new(decoded) }
	return d
}

// newWorker gives a worker that reads and decodes chunks. A corrupt chunk is a
// result, any other error ends the work.
func (d *decoding) newWorker() func(context.Context, int) (*decoded, error) {
	return func(ctx context.Context, n int) (*decoded, error) {
		c := d.buffers.Get().(*decoded)
		c.data, c.coded, c.err = d.r.decodeChunk(ctx, n, c.data, c.coded)
		if c.err != nil && !errors.Is(c.err, ErrCorrupt) {
			return nil, c.err
		}
		return c, nil
	}
}

// add hashes chunk i, the next one, while writing it to out.
func (d *decoding) add(i int, c *decoded, out io.Writer) error {
	err := whileHashing(d.sum, c.data, func() error {
		_, err := out.Write(c.data)
		return err
	})
	d.done(i, c)
	return err
}

func (d *decoding) done(i int, c *decoded) {
	d.buffers.Put(c)
	d.progress(d.r.idx.Rows[i].End(), d.r.Size())
}

// checkSum compares the SHA-256 of all chunks with the original's.
func (d *decoding) checkSum() error {
	if [32]byte(d.sum.Sum(nil)) != d.r.idx.Meta.SHA256 {
		return d.r.corrupt(-1, d.r.indexPos+index.SHA256Offset, errors.New("SHA-256 of the decoded file does not match"))
	}
	return nil
}
