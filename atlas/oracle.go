package atlas

import (
	"context"
	"crypto/sha256"

	"github.com/scapefs/scapefs/archive"
	"github.com/scapefs/scapefs/codec"
)

// Oracle compares the best method for every tensor with the best one for all of
// the file. Every tensor is coded alone, so that none gains by what shares a
// chunk with it; sizes are in bytes of chunks and their rows of the index.
type Oracle struct {
	Single string  `json:"single"` // the best method for all tensors
	Stored float64 `json:"single_bytes"`
	Routed float64 `json:"routed_bytes"` // every tensor by its best
	Gain   float64 `json:"gain"`         // of routing, in parts of Stored
	Auto   float64 `json:"auto_bytes"`   // every tensor by auto, at the default level

	Wins map[string]int `json:"wins"` // for how many tensors each method is best
}

// Route finds the oracle among coders; auto, of which there must be the default
// level, is no candidate.
func (f *File) Route(ctx context.Context, coders []Coder) error {
	if len(f.Tensors) == 0 {
		return nil
	}
	o := &Oracle{Wins: make(map[string]int)}
	best := make([]float64, len(f.Tensors))
	names := make([]string, len(f.Tensors))
	for _, c := range coders {
		sizes, err := f.alone(ctx, c)
		if err != nil {
			return err
		}
		sum := 0.0
		for i, n := range sizes {
			sum += n
			if c.Method != codec.Auto && (names[i] == "" || n < best[i]) {
				best[i], names[i] = n, c.Name()
			}
		}
		switch {
		case c.Method != codec.Auto && (o.Single == "" || sum < o.Stored):
			o.Single, o.Stored = c.Name(), sum
		case c.Method == codec.Auto && c.Level == codec.Balanced:
			o.Auto = sum
		}
	}
	for i, n := range best {
		o.Routed += n
		o.Wins[names[i]]++
	}
	o.Gain = 1 - o.Routed/o.Stored
	f.Oracle = o
	return nil
}

// rowBytes is what the index of an archive has of a chunk (docs/format.md, "Row").
const rowBytes = 40

// alone codes every tensor by itself and gives the bytes that each takes.
func (f *File) alone(ctx context.Context, c Coder) ([]float64, error) {
	apart := &File{Path: f.Path, Size: f.Size, Tensors: f.Tensors}
	for i, s := range f.spans {
		for _, p := range f.pieces[i] {
			part := codec.Part{Shape: f.Tensors[p.tensor].Shape}
			for _, whole := range s.Parts {
				if whole.Off == p.from {
					part.Skip = whole.Skip
				}
			}
			apart.spans = append(apart.spans, archive.Span{Off: s.Off + int64(p.from), Len: p.to - p.from, Elem: s.Elem, DType: s.DType,
				Parts: []codec.Part{part}})
			apart.pieces = append(apart.pieces, []piece{{p.tensor, 0, p.to - p.from}})
		}
	}
	apart.sums = make([][sha256.Size]byte, len(apart.spans))
	all := make([]int, len(apart.spans))
	for i := range all {
		all[i] = i
	}
	coded, err := apart.code(ctx, c, all)
	sizes := make([]float64, len(f.Tensors))
	for i, x := range coded {
		sizes[apart.pieces[i][0].tensor] += float64(x.HeaderLen + x.PayloadLen + rowBytes)
	}
	return sizes, err
}
