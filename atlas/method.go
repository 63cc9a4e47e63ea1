package atlas

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/scapefs/scapefs/archive"
	"github.com/scapefs/scapefs/codec"
)

// Coder is a method at a level, as a row of the report.
type Coder struct {
	Method  codec.Method
	Level   codec.Level // of scape and auto
	Profile *codec.Profile
}

// Coders lists what a file can be coded by; methods that do not find what they
// need in profile, which may be nil, are left out.
func Coders(profile *codec.Profile) []Coder {
	var list []Coder
	for _, m := range append(codec.Methods(), codec.Auto) {
		levels := []codec.Level{codec.Balanced}
		if m == codec.Scape || m == codec.Auto {
			levels = codec.Levels()
		}
		if _, err := profile.For(m); err != nil {
			continue
		}
		for _, l := range levels {
			list = append(list, Coder{m, l, profile})
		}
	}
	return list
}

// Name is the method's, with a level that is not the default behind it.
func (c Coder) Name() string {
	if c.Level != codec.Balanced {
		return fmt.Sprintf("%v %v", c.Method, c.Level)
	}
	return c.Method.String()
}

// Result is what a method made of a file.
type Result struct {
	Name     string  `json:"method"`
	Original int64   `json:"original"` // bytes that were coded
	Stored   int64   `json:"stored"`   // bytes of the archive that pack writes of them
	Ratio    float64 `json:"ratio"`
	Profile  int     `json:"profile_bytes,omitempty"` // of Stored

	// Speeds are in 10^6 original bytes a second of processor time.
	Encode float64 `json:"encode_mbps"`
	Decode float64 `json:"decode_mbps"`
}

// SampleLen is how many bytes of a file Sample codes.
const SampleLen = 64 << 20

// Code codes the whole file by c and adds the result.
func (f *File) Code(ctx context.Context, c Coder) error {
	all := make([]int, len(f.spans))
	for i := range all {
		all[i] = i
	}
	coded, err := f.code(ctx, c, all)
	if err != nil {
		return err
	}
	if err := f.note(c, coded); err != nil {
		return err
	}
	f.attribute(c, coded)
	return nil
}

// Sample codes chunks of about SampleLen bytes in all, spread over the file; what
// they refer to is not looked for, and no tensor gets a size.
func (f *File) Sample(ctx context.Context, c Coder) error {
	if f.Size <= SampleLen {
		return f.Code(ctx, c)
	}
	var some []int
	for i := 0; i < len(f.spans); i += int((f.Size + SampleLen - 1) / SampleLen) {
		some = append(some, i)
	}
	coded, err := f.code(ctx, c, some)
	if err != nil {
		return err
	}
	return f.note(c, coded)
}

// codedChunk is what became of a chunk.
type codedChunk struct {
	archive.Coded
	account        codec.Account
	pieces         []float64 // coded bytes of each piece, by the blocks that it has a share in
	encode, decode time.Duration
}

// code codes the chunks of those numbers.
func (f *File) code(ctx context.Context, c Coder, chunks []int) ([]codedChunk, error) {
	src, err := os.Open(f.Path)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	profile, err := c.Profile.For(c.Method)
	if err != nil {
		return nil, err
	}
	coded := make([]codedChunk, len(chunks))
	next := make(chan int)
	g, ctx := errgroup.WithContext(ctx)
	for range runtime.GOMAXPROCS(0) {
		g.Go(func() error {
			runtime.LockOSThread() // whose time is measured
			defer runtime.UnlockOSThread()
			w := newWorker(c, profile)
			for i := range next {
				chunk, err := w.code(src, f, chunks[i], len(chunks) == len(f.spans))
				if err != nil {
					return fmt.Errorf("%s: chunk %d by %s: %w", f.Path, chunks[i], c.Name(), err)
				}
				coded[i] = chunk
			}
			return nil
		})
	}
	g.Go(func() error {
		defer close(next)
		for i := range chunks {
			select {
			case next <- i:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	return coded, g.Wait()
}

// note adds the result of a method.
func (f *File) note(c Coder, coded []codedChunk) error {
	r := Result{Name: c.Name()}
	var encode, decode time.Duration
	layout := make([]archive.Coded, len(coded))
	for i, x := range coded {
		layout[i] = x.Coded
		r.Original += int64(x.Len)
		encode += x.encode
		decode += x.decode
	}
	profile, err := c.Profile.For(c.Method)
	if err != nil {
		return err
	}
	if profile != nil {
		r.Profile = len(profile.Marshal())
	}
	if r.Stored, err = archive.Size(f.Path, layout, r.Profile); err != nil {
		return err
	}
	r.Ratio = float64(r.Original) / float64(r.Stored)
	r.Encode, r.Decode = mbps(r.Original, encode), mbps(r.Original, decode)
	f.Methods = append(f.Methods, r)
	return nil
}

func mbps(n int64, d time.Duration) float64 { return float64(n) / 1e6 / max(d.Seconds(), 1e-9) }

// worker codes chunks, one at a time.
type worker struct {
	enc     *codec.Encoder
	dec     *codec.Decoder
	profile *codec.Profile
	data    []byte
	payload []byte
	block   []byte
}

func newWorker(c Coder, profile *codec.Profile) *worker {
	w := &worker{enc: codec.NewEncoder(c.Method, 0), dec: codec.NewDecoder(), profile: profile, block: make([]byte, codec.MaxBlockLen)}
	w.enc.SetLevel(c.Level)
	w.enc.SetProfile(profile)
	return w
}

// code codes a chunk as pack does, and decodes it again.
func (w *worker) code(src io.ReaderAt, f *File, number int, refer bool) (c codedChunk, err error) {
	s := f.spans[number]
	w.data = slices.Grow(w.data[:0], s.Len)[:s.Len]
	if _, err := src.ReadAt(w.data, s.Off); err != nil {
		return c, err
	}
	if f.sums[number] == [sha256.Size]byte{} {
		f.sums[number] = sha256.Sum256(w.data)
	}
	parts := s.Parts
	if refer {
		if parts, err = archive.Candidates(src, f.spans, s, w.data); err != nil {
			return c, err
		}
	}
	start := now()
	coded, err := w.enc.Encode(w.data, s.Elem, parts)
	if err != nil {
		return c, err
	}
	c.encode = now() - start
	c.Coded = archive.Coded{Len: s.Len, HeaderLen: len(coded.Header), PayloadLen: len(coded.Payload), Sum: f.sums[number],
		Refers: coded.Refers, Referred: s.Referred}
	chunk, err := w.profile.ParseChunk(coded.Header, s.Len)
	if err != nil {
		return c, err
	}
	if c.account, err = chunk.Account(); err != nil {
		return c, err
	}
	c.pieces = share(chunk, f.pieces[number])
	w.payload = append(append(w.payload[:0], coded.Payload...), make([]byte, codec.Padding)...)[:len(coded.Payload)]
	c.decode, err = w.decode(chunk, parts)
	return c, err
}

// decode decodes all blocks and compares them with what was coded.
func (w *worker) decode(chunk *codec.Chunk, parts []codec.Part) (took time.Duration, err error) {
	for i := range chunk.NumBlocks() {
		b := chunk.Block(i)
		var stretch []byte
		if ref, ok := chunk.Reference(i); ok {
			if stretch = referred(parts, ref); stretch == nil {
				return took, fmt.Errorf("block %d refers to chunk %d, which was not offered", i, ref.Row)
			}
		}
		start := now()
		if err := w.dec.Decode(chunk, i, w.block[:b.Len], w.payload[b.StoredOff:b.StoredOff+b.StoredLen], stretch); err != nil {
			return took, err
		}
		took += now() - start
		if !bytes.Equal(w.block[:b.Len], w.data[b.Off:b.Off+b.Len]) {
			return took, fmt.Errorf("block %d came back as other bytes", i)
		}
	}
	return took, nil
}

// referred gives the bytes of ref, which one of parts was offered.
func referred(parts []codec.Part, ref codec.Reference) []byte {
	for _, p := range parts {
		if p.RefData != nil && p.Ref.Row == ref.Row && p.Ref.Off <= ref.Off && ref.Off+ref.Len <= p.Ref.Off+p.Ref.Len {
			return p.RefData[ref.Off-p.Ref.Off:][:ref.Len]
		}
	}
	return nil
}

// share divides the coded bytes of chunk among the pieces: of a block, each has
// its share by length.
func share(chunk *codec.Chunk, pieces []piece) []float64 {
	shares := make([]float64, len(pieces))
	for k, p := range pieces {
		for i := chunk.Find(p.from); i < chunk.NumBlocks() && chunk.Block(i).Off < p.to; i++ {
			b := chunk.Block(i)
			common := min(p.to, b.Off+b.Len) - max(p.from, b.Off)
			shares[k] += float64(b.StoredLen) * float64(common) / float64(b.Len)
		}
	}
	return shares
}
