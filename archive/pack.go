package archive

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/scapefs/scapefs/codec"
	"github.com/scapefs/scapefs/index"
	"github.com/scapefs/scapefs/internal/disk"
	"github.com/scapefs/scapefs/safetensors"
	"github.com/zeebo/xxh3"
)

// DefaultChunkLen is how many bytes of the original a chunk holds at most,
// unless PackOptions says otherwise.
const DefaultChunkLen = 4 << 20

// chunkAlign divides every chunk length: a page, and so any element's width.
const chunkAlign = 4 << 10

// PackOptions are the choices Pack leaves to its caller. The zero value of a
// field but Method is its default.
type PackOptions struct {
	Method    codec.Method
	Level     codec.Level    // of the method scape, and so of auto
	Profile   *codec.Profile // what Method codes by, if it needs one; the archive carries it
	ChunkLen  int            // original bytes of a chunk, a multiple of 4 KiB up to codec.MaxChunkLen; DefaultChunkLen
	BlockLen  int            // original bytes of a block; the codec's default
	Jobs      int            // goroutines that encode, each with its own memory; GOMAXPROCS
	Overwrite bool           // replace dst if it exists

	// Progress is told after every chunk how much is done. Each byte of the
	// original counts twice: once encoded, once verified. It is called by one
	// goroutine at a time.
	Progress func(done, total int64)
	// Warn is told what does not prevent packing.
	Warn func(message string)

	// Tests make disks fail by these.
	fault func(disk.Op) error
	reads func(io.ReaderAt) io.ReaderAt // what the source is read through
}

func (opt PackOptions) withDefaults() (PackOptions, error) {
	if opt.ChunkLen == 0 {
		opt.ChunkLen = DefaultChunkLen
	}
	if opt.ChunkLen < chunkAlign || opt.ChunkLen > codec.MaxChunkLen || opt.ChunkLen%chunkAlign != 0 {
		return opt, fmt.Errorf("chunk size %d: must be a multiple of %d up to %d", opt.ChunkLen, chunkAlign, codec.MaxChunkLen)
	}
	if opt.BlockLen < 0 || opt.BlockLen > codec.MaxBlockLen {
		return opt, fmt.Errorf("block size %d: must be up to %d", opt.BlockLen, codec.MaxBlockLen)
	}
	var err error
	if opt.Profile, err = opt.Profile.For(opt.Method); err != nil {
		return opt, err
	}
	opt.Jobs = jobsOrDefault(opt.Jobs)
	opt.Progress = progressOrNone(opt.Progress)
	if opt.Warn == nil {
		opt.Warn = func(string) {}
	}
	if opt.reads == nil {
		opt.reads = func(f io.ReaderAt) io.ReaderAt { return f }
	}
	return opt, nil
}

func jobsOrDefault(jobs int) int {
	if jobs <= 0 {
		return runtime.GOMAXPROCS(0)
	}
	return jobs
}

func progressOrNone(f func(done, total int64)) func(done, total int64) {
	if f == nil {
		return func(int64, int64) {}
	}
	return f
}

// Result tells what Pack made.
type Result struct {
	Original int64 // bytes of the original
	Stored   int64 // bytes of the archive
	Chunks   int
	Records  int      // chunks stored; the others are equal to one of them
	SHA256   [32]byte // of the original
	// Source is the original as it was packed: to be compared with what is
	// there before anyone removes it.
	Source fs.FileInfo
}

// Pack makes the archive dst of the file src. dst appears only when all of it
// is on disk and has been decoded to the bytes of src again; otherwise nothing
// is left. A src without a valid safetensors header is packed as bytes, with a
// warning.
//
// The error wraps fs.ErrExist if dst exists, and ErrChanged if src did not stay
// what it was.
func Pack(ctx context.Context, dst, src string, opt PackOptions) (Result, error) {
	res, err := pack(ctx, dst, src, opt)
	if err != nil {
		return Result{}, fmt.Errorf("pack %s: %w", src, err)
	}
	return res, nil
}

func pack(ctx context.Context, dst, src string, opt PackOptions) (Result, error) {
	opt, err := opt.withDefaults()
	if err != nil {
		return Result{}, err
	}
	f, info, err := openRegular(src)
	if err != nil {
		return Result{}, err
	}
	defer f.Close()
	if old, err := os.Stat(dst); err == nil && os.SameFile(old, info) {
		return Result{}, fmt.Errorf("%s is the file to be packed", dst)
	}
	spans, err := planFile(f, info, opt)
	if err != nil {
		return Result{}, err
	}
	out, err := disk.Create(dst, disk.Options{Overwrite: opt.Overwrite, Fault: opt.fault})
	if err != nil {
		return Result{}, err
	}
	defer out.Discard()

	w := newWriter(f, info, spans, out, opt)
	if err := w.write(ctx); err != nil {
		return Result{}, err
	}
	if err := out.Finish(info.Mode().Perm(), time.Time{}); err != nil {
		return Result{}, err
	}
	if err := w.verify(ctx, out.TempName()); err != nil {
		return Result{}, fmt.Errorf("archive does not decode to the original: %w", err)
	}
	if err := unchanged(src, info); err != nil {
		return Result{}, err
	}
	if err := out.Commit(); err != nil {
		return Result{}, err
	}
	return w.result(), nil
}

// planFile cuts the file into chunks along its tensors.
func planFile(f *os.File, info fs.FileInfo, opt PackOptions) ([]Span, error) {
	hdr, err := safetensors.Parse(f, info.Size())
	if errors.Is(err, safetensors.ErrInvalid) {
		opt.Warn(fmt.Sprintf("%s: packed as plain bytes: %v", f.Name(), err))
		hdr = nil
	} else if err != nil {
		return nil, err
	}
	spans := Plan(hdr, info.Size(), opt.ChunkLen)
	if len(spans) > index.MaxRows {
		return nil, fmt.Errorf("%d chunks, at most %d are allowed: choose a larger chunk size", len(spans), index.MaxRows)
	}
	return spans, nil
}

// unchanged wraps ErrChanged if the file at path is not what info describes.
func unchanged(path string, info fs.FileInfo) error {
	now, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: it is gone", ErrChanged)
	}
	if err != nil {
		return err
	}
	if err := compareInfo(info, now); err != nil {
		return err
	}
	if !disk.ChangeTime(info).Equal(disk.ChangeTime(now)) {
		return fmt.Errorf("%w: something was done to it, though size and mtime are the same", ErrChanged)
	}
	return nil
}

// writer writes one archive.
type writer struct {
	opt   PackOptions
	src   io.ReaderAt
	info  fs.FileInfo
	spans []Span
	out   io.Writer

	// What has been written; used by one goroutine.
	idx     index.Index
	pos     int64
	sum     hash.Hash // of the original
	records map[[32]byte]int
	refers  map[int]bool // rows whose record needs another chunk
	stored  int          // records

	buffers sync.Pool // of *encoded
}

// encoded is one chunk on its way from the source to the archive.
type encoded struct {
	data   []byte // the original bytes
	sum    [32]byte
	record []byte // chunk header and payload
	refers bool   // the record needs another chunk
	row    index.Row
}

func newWriter(src *os.File, info fs.FileInfo, spans []Span, out io.Writer, opt PackOptions) *writer {
	w := &writer{opt: opt, src: opt.reads(src), info: info, spans: spans, out: out, sum: sha256.New(), records: map[[32]byte]int{}, refers: map[int]bool{}}
	w.buffers.New = func() any { return new(encoded) }
	w.idx.Rows = make([]index.Row, 0, len(spans))
	w.idx.Meta = index.Meta{
		Name:      filepath.Base(src.Name()),
		Size:      info.Size(),
		MTime:     info.ModTime(),
		Mode:      info.Mode().Perm(),
		ChunkSize: uint32(opt.ChunkLen),
	}
	if opt.Profile != nil {
		w.idx.Profile = opt.Profile.Marshal()
	}
	return w
}

// write writes file header, records, index and trailer.
func (w *writer) write(ctx context.Context) error {
	if err := w.append(index.MarshalHeader()); err != nil {
		return err
	}
	if err := ordered(ctx, w.opt.Jobs, len(w.spans), w.newEncoder, w.add); err != nil {
		return err
	}
	w.sum.Sum(w.idx.Meta.SHA256[:0])
	b, err := w.idx.Marshal()
	if err != nil {
		return err
	}
	trailer := index.NewTrailer(w.pos, b)
	return w.append(append(b, trailer.Marshal()...))
}

// newEncoder gives a worker that reads and encodes chunks.
func (w *writer) newEncoder() func(context.Context, int) (*encoded, error) {
	enc := codec.NewEncoder(w.opt.Method, w.opt.BlockLen)
	enc.SetLevel(w.opt.Level)
	enc.SetProfile(w.opt.Profile)
	return func(_ context.Context, i int) (*encoded, error) {
		e := w.buffers.Get().(*encoded)
		return e, w.encode(enc, w.spans[i], e)
	}
}

func (w *writer) encode(enc *codec.Encoder, s Span, e *encoded) error {
	e.data = slices.Grow(e.data[:0], s.Len)[:s.Len]
	if err := readFull(w.src, e.data, s.Off); err != nil {
		return err
	}
	e.sum = sha256.Sum256(e.data)
	parts, err := Candidates(w.src, w.spans, s, e.data)
	if err != nil {
		return err
	}
	c, err := enc.Encode(e.data, s.Elem, parts)
	if err != nil {
		return fmt.Errorf("chunk at %d: %w", s.Off, err)
	}
	e.refers = c.Refers
	e.record = append(append(e.record[:0], c.Header...), c.Payload...)
	e.row = index.Row{
		Off:        s.Off,
		Len:        uint32(s.Len),
		HeaderLen:  uint32(len(c.Header)),
		PayloadLen: uint32(len(c.Payload)),
		Method:     uint8(c.Method),
		DType:      s.DType,
		HeaderSum:  xxh3.Hash(c.Header),
	}
	return nil
}

// add writes the next chunk, unless an equal one stands in the archive already.
// Meanwhile it hashes the original. What may be referred to must not refer: such
// a chunk shares no record that does.
func (w *writer) add(i int, e *encoded) error {
	row := e.row
	first, seen := w.records[e.sum]
	if seen = seen && !(w.spans[i].Referred && w.refers[first]); seen {
		row = w.idx.Rows[first]
		row.Off, row.DType = e.row.Off, e.row.DType
	} else {
		row.Pos = w.pos
		w.records[e.sum] = i
		w.stored++
		if e.refers {
			w.refers[i] = true
		}
	}
	w.idx.Rows = append(w.idx.Rows, row)
	err := whileHashing(w.sum, e.data, func() error {
		if seen {
			return nil
		}
		return w.append(e.record)
	})
	w.buffers.Put(e)
	w.opt.Progress(row.End(), 2*w.info.Size())
	return err
}

func (w *writer) append(b []byte) error {
	n, err := w.out.Write(b)
	w.pos += int64(n)
	return err
}

// verify decodes the archive at path. The SHA-256 in its index was taken of the
// bytes that were read from the source.
func (w *writer) verify(ctx context.Context, path string) error {
	src, err := OpenFile(path)
	if err != nil {
		return err
	}
	r, err := Open(ctx, src)
	if err != nil {
		return err
	}
	defer r.Close()
	progress := func(done, total int64) { w.opt.Progress(total+done, 2*total) }
	return Verify(ctx, r, VerifyOptions{Jobs: w.opt.Jobs, Progress: progress})
}

func (w *writer) result() Result {
	return Result{
		Original: w.info.Size(),
		Stored:   w.pos,
		Chunks:   len(w.spans),
		Records:  w.stored,
		SHA256:   w.idx.Meta.SHA256,
		Source:   w.info,
	}
}

// whileHashing runs f and hashes data side by side.
func whileHashing(h hash.Hash, data []byte, f func() error) error {
	done := make(chan struct{})
	go func() {
		h.Write(data)
		close(done)
	}()
	err := f()
	<-done
	return err
}
