package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/scapefs/scapefs/archive"
	"github.com/scapefs/scapefs/codec"
)

// codedSamples is all samples, coded in one way.
type codedSamples struct {
	chunks           []*codedChunk
	original, stored int64
}

type codedChunk struct {
	sampleChunk
	of      []*codedChunk // all of its file, by row
	chunk   *codec.Chunk
	header  []byte
	payload []byte
	refers  bool
}

// encodeSamples codes the samples as pack does, and lays an archive of each
// out to know its size.
func encodeSamples(ctx context.Context, stderr io.Writer, r benchRow, samples []*sample) (*codedSamples, error) {
	coded := new(codedSamples)
	var total int64
	for _, s := range samples {
		total += s.Measured
	}
	b := newBar(stderr, r.String(), total)
	defer b.end()
	var done atomic.Int64
	for _, s := range samples {
		chunks, err := encodeSample(ctx, r, s, func(n int) { b.set(done.Add(int64(n)), total) })
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Path, err)
		}
		stored, err := archiveLen(s, chunks, r.profile)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Path, err)
		}
		coded.chunks = append(coded.chunks, chunks...)
		coded.original += s.Measured
		coded.stored += stored
	}
	return coded, nil
}

// encodeSample codes the chunks of s, on all cores.
func encodeSample(ctx context.Context, r benchRow, s *sample, progress func(n int)) ([]*codedChunk, error) {
	chunks := make([]*codedChunk, len(s.chunks))
	g, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range runtime.GOMAXPROCS(0) {
		g.Go(func() error {
			enc := r.newEncoder()
			for i := int(next.Add(1)) - 1; i < len(chunks) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				c := &codedChunk{sampleChunk: s.chunks[i], of: chunks}
				if err := c.encode(enc, r.profile); err != nil {
					return err
				}
				chunks[i] = c
				progress(c.Len)
			}
			return ctx.Err()
		})
	}
	return chunks, g.Wait()
}

// encode codes the chunk, and copies the result out of the encoder's memory.
func (c *codedChunk) encode(enc *codec.Encoder, profile *codec.Profile) error {
	coded, err := enc.Encode(c.data, c.Elem, c.Parts)
	if err != nil {
		return err
	}
	c.refers = coded.Refers
	c.header = append([]byte(nil), coded.Header...)
	c.payload = append(make([]byte, 0, len(coded.Payload)+codec.Padding), coded.Payload...)
	c.chunk, err = profile.ParseChunk(c.header, c.Len)
	return err
}

// archiveLen is the size of the archive that pack writes of these chunks.
func archiveLen(s *sample, chunks []*codedChunk, profile *codec.Profile) (int64, error) {
	coded := make([]archive.Coded, len(chunks))
	for i, c := range chunks {
		coded[i] = archive.Coded{Len: c.Len, HeaderLen: len(c.header), PayloadLen: len(c.payload), Sum: c.sum, Refers: c.refers, Referred: c.Referred}
	}
	carried := 0
	if profile != nil {
		carried = len(profile.Marshal())
	}
	return archive.Size(s.Path, coded, carried)
}
