package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/scapefs/scapefs/archive"
	"github.com/scapefs/scapefs/safetensors"
)

// sample is a file, or the first chunks of a large one, in memory.
type sample struct {
	benchFile
	chunks []sampleChunk
}

type sampleChunk struct {
	archive.Span // its parts have the bytes that they may refer to
	data         []byte
	sum          [sha256.Size]byte
}

// takeSamples takes at most limit bytes of the files at paths. What the files
// before have left is shared equally by those to come.
func takeSamples(paths []string, limit int64) ([]*sample, error) {
	left := limit
	samples := make([]*sample, len(paths))
	for i, path := range paths {
		s, err := takeSample(path, left/int64(len(paths)-i))
		if err != nil {
			return nil, err
		}
		samples[i] = s
		left -= s.Measured
	}
	if left == limit {
		return nil, fmt.Errorf("nothing to measure: %s is empty", paths[0])
	}
	return samples, nil
}

// takeSample takes whole chunks of the file at path, as pack cuts it, up to
// limit bytes.
func takeSample(path string, limit int64) (*sample, error) {
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
		return nil, err
	}
	s := &sample{benchFile: benchFile{Path: path, Size: info.Size()}}
	spans := archive.Plan(header, info.Size(), 0)
	for _, span := range spans {
		if s.Measured+int64(span.Len) > limit {
			break
		}
		c, err := takeChunk(f, spans, span)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		s.chunks = append(s.chunks, c)
		s.Measured += int64(span.Len)
	}
	return s, nil
}

func takeChunk(f io.ReaderAt, spans []archive.Span, span archive.Span) (c sampleChunk, err error) {
	c = sampleChunk{Span: span, data: make([]byte, span.Len)}
	if _, err := f.ReadAt(c.data, span.Off); err != nil {
		return c, err
	}
	c.sum = sha256.Sum256(c.data)
	c.Parts, err = archive.Candidates(f, spans, span, c.data)
	return c, err
}
