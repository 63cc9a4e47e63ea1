package atlas

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/scapefs/scapefs/archive"
	"github.com/scapefs/scapefs/codec"
	"github.com/scapefs/scapefs/safetensors"
)

// Tensor is what is found of one tensor. Bytes that belong to none, the header
// of a file for one, are not among the tensors.
type Tensor struct {
	Name    string  `json:"name"`
	DType   string  `json:"dtype"`
	Shape   []int64 `json:"shape"`
	Bytes   int64   `json:"bytes"`
	Weights int64   `json:"weights"` // elements; those of complex numbers count twice
	Entropy Entropy `json:"entropy"`

	// Floor is the entropy that scape starts from, in bits a weight: that of the
	// best of Entropy.Top and TopSigned with its table in mind.
	Floor float64 `json:"floor"`

	// Stored is what each method made of it, in bytes: of a chunk that it shares
	// or of a block, its share by length. Empty if no method was tried, or only on
	// a sample.
	Stored map[string]float64 `json:"stored,omitempty"`

	// Gaps are by method, for those that are taken apart.
	Gaps map[string]Gap `json:"gaps,omitempty"`

	elem        codec.Elem
	split, best fit // of bf16_split and of scape
}

// File is what is found of one file.
type File struct {
	Path    string         `json:"path"`
	Size    int64          `json:"size"`
	Tensors []*Tensor      `json:"tensors"`
	Totals  []Total        `json:"totals"` // by dtype
	Methods []Result       `json:"methods,omitempty"`
	Gaps    map[string]Gap `json:"gaps,omitempty"` // of all tensors that are taken apart
	Oracle  *Oracle        `json:"oracle,omitempty"`

	Exponents [256]int64 `json:"exponents"` // how often each occurs, in the dtype with most bytes that has 8 bits of them

	spans  []archive.Span
	sums   [][sha256.Size]byte // of spans, from when they are coded first
	pieces [][]piece           // of spans: the tensors in them
}

// piece is the part that a tensor has of a chunk.
type piece struct {
	tensor   int
	from, to int // in the chunk
}

// Analyse reads the file at path once and gives its entropies.
func Analyse(ctx context.Context, path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	header, err := safetensors.Parse(f, info.Size())
	if err != nil && !errors.Is(err, safetensors.ErrInvalid) {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	file := &File{Path: path, Size: info.Size()}
	file.spans = archive.Plan(header, info.Size(), 0)
	file.sums = make([][sha256.Size]byte, len(file.spans))
	file.place(header)
	if err := file.count(ctx, f); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	file.Totals = totals(file.Tensors)
	return file, nil
}

// place lists the tensors and where they lie in the chunks.
func (f *File) place(header *safetensors.Header) {
	f.pieces = make([][]piece, len(f.spans))
	if header == nil {
		return
	}
	span := 0
	for _, t := range header.Tensors {
		if t.Begin == t.End {
			continue
		}
		for f.spans[span].Off+int64(f.spans[span].Len) <= t.Begin {
			span++
		}
		elem := f.spans[span].Elem
		f.Tensors = append(f.Tensors, &Tensor{Name: t.Name, DType: string(t.DType), Shape: t.Shape,
			Bytes: t.End - t.Begin, Weights: (t.End - t.Begin) / int64(elem.Width), elem: elem})
		for s := span; s < len(f.spans) && f.spans[s].Off < t.End; s++ {
			from, to := max(t.Begin-f.spans[s].Off, 0), min(t.End-f.spans[s].Off, int64(f.spans[s].Len))
			f.pieces[s] = append(f.pieces[s], piece{len(f.Tensors) - 1, int(from), int(to)})
		}
	}
}

// counted is what a worker finds in a chunk.
type counted struct {
	pieces []pieceCounts
	fits   []struct{ split, best fit }
}

// count fills in the tensors, a few chunks at a time.
func (f *File) count(ctx context.Context, src io.ReaderAt) error {
	workers := make([]*analyst, runtime.GOMAXPROCS(0))
	for i := range workers {
		workers[i] = new(analyst)
	}
	var current tensorCounts
	done := new(folder)
	tensor := 0
	finish := func() {
		t := f.Tensors[tensor]
		t.Entropy = done.entropies(&current.sum, t.elem)
		t.Floor = done.floor(&current.sum, t.elem, t.Entropy)
		f.noteExponents(&current.sum, t.elem)
		current = tensorCounts{}
		tensor++
	}
	for first := 0; first < len(f.spans); first += len(workers) {
		batch, err := f.countBatch(ctx, src, workers, first)
		if err != nil {
			return err
		}
		for i, c := range batch {
			for k, p := range f.pieces[first+i] {
				if p.tensor != tensor {
					finish()
				}
				f.Tensors[tensor].split.add(c.fits[k].split)
				f.Tensors[tensor].best.add(c.fits[k].best)
				current.add(c.pieces[k])
			}
		}
	}
	if tensor < len(f.Tensors) {
		finish()
	}
	return nil
}

// countBatch counts the chunks from first on, one a worker.
func (f *File) countBatch(ctx context.Context, src io.ReaderAt, workers []*analyst, first int) ([]counted, error) {
	batch := make([]counted, min(len(workers), len(f.spans)-first))
	g, ctx := errgroup.WithContext(ctx)
	for i := range batch {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			c, err := workers[i].chunk(src, f, first+i)
			batch[i] = c
			return err
		})
	}
	return batch, g.Wait()
}

// analyst is what one worker counts with.
type analyst struct {
	counter counter
	folder  folder
	data    []byte
}

func (a *analyst) chunk(src io.ReaderAt, f *File, number int) (c counted, err error) {
	s := f.spans[number]
	a.data = append(a.data[:0], make([]byte, s.Len)...)
	if _, err := src.ReadAt(a.data, s.Off); err != nil {
		return c, err
	}
	for _, p := range f.pieces[number] {
		t := f.Tensors[p.tensor]
		c.pieces = append(c.pieces, a.counter.piece(a.data[p.from:p.to], t.elem, rowLen(t.Shape)))
	}
	c.fits = make([]struct{ split, best fit }, len(c.pieces))
	if s.Elem.Exponent == 0 || len(c.pieces) == 0 {
		return c, nil
	}
	whole := c.pieces[0].high
	if len(c.pieces) > 1 {
		whole = a.counter.piece(a.data[:len(a.data)/int(s.Elem.Width)*int(s.Elem.Width)], s.Elem, 0).high
	}
	for k := range c.pieces {
		if is16BitFloat(s.Elem) {
			c.fits[k].split = a.folder.splitFit(c.pieces[k].high, whole, s.Elem)
		}
		c.fits[k].best = a.folder.scapeFit(c.pieces[k].high, s.Elem)
	}
	return c, nil
}

func is16BitFloat(e codec.Elem) bool { return e.Width == 2 && e.Exponent > 0 }

// rowLen is how many elements a row of a tensor of that shape has.
func rowLen(shape []int64) int {
	if len(shape) < 2 || shape[len(shape)-1] > archive.DefaultChunkLen {
		return 0
	}
	return int(shape[len(shape)-1])
}

func (f *File) noteExponents(p *pieceCounts, elem codec.Elem) {
	if elem.Exponent != 8 {
		return
	}
	key := topKey(elem, 0, false)
	for _, b := range p.high {
		f.Exponents[key(b.symbol)] += int64(b.count)
	}
}
