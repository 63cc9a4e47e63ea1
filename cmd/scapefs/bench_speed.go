package main

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/scapefs/scapefs/codec"
)

// benchTurns is how often encoding, decoding and memcpy take turns, so that all
// meet the same machine; the median of each counts.
const benchTurns = 5

// speeds are those of every turn, in MB/s.
type speeds struct{ encode, decode, memcpy []float64 }

// enough turns have been, in budgets, when all could have been: two kinds of speed
// and a quarter for memcpy, on one core and on all.
const enough = 5

type medianSpeeds struct{ encode, decode, over float64 }

// median gives the median of each, and that of decoding over memcpy in the same
// turn.
func (s speeds) median() medianSpeeds {
	over := make([]float64, len(s.decode))
	for i := range over {
		over[i] = s.decode[i] / s.memcpy[i]
	}
	return medianSpeeds{median(s.encode), median(s.decode), median(over)}
}

type raceSpeeds struct{ one, all speeds }

// race measures each speed for about budget. A method so slow that a chunk takes
// longer than a turn gets fewer turns.
func (coded *codedSamples) race(ctx context.Context, r benchRow, cores int, budget time.Duration) (speeds raceSpeeds, err error) {
	workers := make([]*benchWorker, cores)
	for i := range workers {
		workers[i] = &benchWorker{enc: r.newEncoder(), dec: codec.NewDecoder(), dst: make([]byte, codec.MaxBlockLen)}
	}
	turn := budget / benchTurns
	start := time.Now()
	for i := range benchTurns {
		if i > 0 && time.Since(start) > enough*budget {
			break
		}
		if err := speeds.one.add(ctx, coded.chunks, workers[:1], turn); err != nil {
			return speeds, err
		}
		if err := speeds.all.add(ctx, coded.chunks, workers, turn); err != nil {
			return speeds, err
		}
	}
	return speeds, nil
}

// add measures one turn of each kind.
func (s *speeds) add(ctx context.Context, chunks []*codedChunk, workers []*benchWorker, turn time.Duration) error {
	for _, kind := range []struct {
		speeds *[]float64
		do     func(*benchWorker, *codedChunk) error
		turn   time.Duration
	}{
		{&s.memcpy, (*benchWorker).copy, turn / 4},
		{&s.decode, (*benchWorker).decode, turn},
		{&s.encode, (*benchWorker).encode, turn},
	} {
		speed, err := runTogether(ctx, chunks, workers, kind.turn, kind.do)
		if err != nil {
			return err
		}
		*kind.speeds = append(*kind.speeds, speed)
	}
	return nil
}

// runTogether has every worker do chunk after chunk until the turn is over, and gives
// the sum of their speeds.
func runTogether(ctx context.Context, chunks []*codedChunk, workers []*benchWorker, turn time.Duration, do func(*benchWorker, *codedChunk) error) (sum float64, err error) {
	var g errgroup.Group
	var next atomic.Int64
	each := make([]float64, len(workers))
	start := time.Now()
	for i, w := range workers {
		g.Go(func() error {
			var done int64
			for {
				c := chunks[int(next.Add(1)-1)%len(chunks)]
				if err := do(w, c); err != nil {
					return err
				}
				done += int64(c.Len)
				if spent := time.Since(start); spent >= turn || ctx.Err() != nil {
					each[i] = mbps(done, spent)
					return ctx.Err()
				}
			}
		})
	}
	err = g.Wait()
	for _, speed := range each {
		sum += speed
	}
	return sum, err
}

// benchWorker is what one core works with.
type benchWorker struct {
	enc     *codec.Encoder
	dec     *codec.Decoder
	dst     []byte // a block
	stretch []byte // that a block refers to
	other   []byte // a block of that
}

func (w *benchWorker) encode(c *codedChunk) error {
	_, err := w.enc.Encode(c.data, c.Elem, c.Parts)
	return err
}

func (w *benchWorker) copy(c *codedChunk) error {
	for i := range c.chunk.NumBlocks() {
		b := c.chunk.Block(i)
		copy(w.dst, c.data[b.Off:b.Off+b.Len])
	}
	return nil
}

// decode decodes c block by block, and as a reader does, what a block refers to
// before it.
func (w *benchWorker) decode(c *codedChunk) error {
	for i := range c.chunk.NumBlocks() {
		var stretch []byte
		if ref, ok := c.chunk.Reference(i); ok {
			if err := w.decodeStretch(c.of[ref.Row], ref); err != nil {
				return err
			}
			stretch = w.stretch
		}
		if err := c.decodeBlock(w.dec, i, w.dst, stretch); err != nil {
			return err
		}
	}
	return nil
}

func (w *benchWorker) decodeStretch(c *codedChunk, ref codec.Reference) error {
	w.stretch = slices.Grow(w.stretch[:0], ref.Len)[:ref.Len]
	w.other = slices.Grow(w.other[:0], codec.MaxBlockLen)[:codec.MaxBlockLen]
	for i := c.chunk.Find(ref.Off); i < c.chunk.NumBlocks() && c.chunk.Block(i).Off < ref.Off+ref.Len; i++ {
		if err := c.decodeBlock(w.dec, i, w.other, nil); err != nil {
			return err
		}
		b := c.chunk.Block(i)
		from := max(ref.Off-b.Off, 0)
		copy(w.stretch[b.Off+from-ref.Off:], w.other[from:b.Len])
	}
	return nil
}

func (c *codedChunk) decodeBlock(dec *codec.Decoder, i int, dst, ref []byte) error {
	b := c.chunk.Block(i)
	return dec.Decode(c.chunk, i, dst[:b.Len], c.payload[b.StoredOff:b.StoredOff+b.StoredLen], ref)
}

func mbps(n int64, d time.Duration) float64 {
	return float64(n) / 1e6 / max(d.Seconds(), 1e-9)
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}
