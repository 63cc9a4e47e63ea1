package archive

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/scapefs/scapefs/index"
)

// maxReports bounds the corrupt chunks that Verify lists.
const maxReports = 100

// VerifyOptions are the choices Verify leaves to its caller.
type VerifyOptions struct {
	Jobs int // goroutines that decode; GOMAXPROCS if 0

	// Progress is told after every chunk how many bytes of the original are
	// done. It is called by one goroutine at a time.
	Progress func(done, total int64)
}

// Verify decodes all of the archive in r and compares every checksum, and the
// SHA-256 of the whole. If it is corrupt, the error holds a *CorruptError for
// each of the first 100 corrupt chunks, in order; other errors are those of
// Reader.Chunk.
func Verify(ctx context.Context, r *Reader, opt VerifyOptions) error {
	v := verification{decoding: newDecoding(r, opt.Progress)}
	if err := v.report(r.CheckFileHeader(ctx)); err != nil {
		return err
	}
	err := ordered(ctx, jobsOrDefault(opt.Jobs), len(r.idx.Rows), v.newWorker, v.add)
	if err == nil && len(v.errs) == 0 {
		return v.checkSum()
	}
	return errors.Join(append(v.errs, err)...)
}

// verification collects what is corrupt.
type verification struct {
	*decoding
	errs []error
}

func (v *verification) add(i int, c *decoded) error {
	if c.err == nil {
		return v.decoding.add(i, c, io.Discard)
	}
	err := v.report(c.err)
	v.done(i, c)
	return err
}

// report keeps a corruption and returns any other error.
func (v *verification) report(err error) error {
	if err == nil || !errors.Is(err, ErrCorrupt) {
		return err
	}
	if v.errs = append(v.errs, err); len(v.errs) >= maxReports {
		return fmt.Errorf("stopped after %d corrupt chunks", maxReports)
	}
	return nil
}

// CheckFileHeader checks the archive's first bytes, which decoding does not
// need: who opens an archive to show it calls this, at one small read more.
func (r *Reader) CheckFileHeader(ctx context.Context) error {
	b := make([]byte, index.HeaderLen)
	if err := r.readAt(ctx, b, 0); err != nil {
		return err
	}
	err := index.ParseHeader(b)
	if errors.Is(err, ErrNotArchive) {
		return r.corrupt(-1, 0, errors.New("file header: wrong magic"))
	}
	if err != nil {
		return r.indexError(err)
	}
	return nil
}
