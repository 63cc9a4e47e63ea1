package codec_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scapefs/scapefs/archive"
	"github.com/scapefs/scapefs/codec"
	"github.com/scapefs/scapefs/safetensors"
)

// BenchmarkDecodeFiles decodes the chunks of real weights, as pack cuts them:
// of the files in $SCAPEFS_CORPUS or, if that is not set, in testdata.
func BenchmarkDecodeFiles(b *testing.B) {
	eachCorpus(b, benchmarkDecodeFiles)
	b.Run("memcpy", func(b *testing.B) {
		src, dst := make([]byte, 4<<20), make([]byte, 4<<20)
		b.SetBytes(int64(len(src)))
		for b.Loop() {
			copy(dst, src)
		}
	})
}

// BenchmarkEncodeFiles encodes the same chunks.
func BenchmarkEncodeFiles(b *testing.B) { eachCorpus(b, benchmarkEncodeFiles) }

// eachCorpus benchmarks the files of each type, at each level.
func eachCorpus(b *testing.B, bench func(b *testing.B, paths []string, level codec.Level)) {
	dir := os.Getenv("SCAPEFS_CORPUS")
	if dir == "" {
		dir = "../testdata"
	}
	for _, dtype := range []string{"bf16", "fp16", "fp32"} {
		paths, err := filepath.Glob(filepath.Join(dir, "*."+dtype+".safetensors"))
		if err != nil {
			b.Fatal(err)
		}
		if len(paths) == 0 {
			continue
		}
		for _, level := range codec.Levels() {
			b.Run(dtype+"/"+level.String(), func(b *testing.B) { bench(b, paths, level) })
		}
	}
}

func benchmarkEncodeFiles(b *testing.B, paths []string, level codec.Level) {
	type chunk struct {
		data []byte
		archive.Span
	}
	var chunks []chunk
	size := 0
	for _, path := range paths {
		data, spans := typedSpans(b, path)
		for _, s := range spans {
			chunks = append(chunks, chunk{data[s.Off : s.Off+int64(s.Len)], s})
			size += s.Len
		}
	}
	e := codec.NewEncoder(codec.Scape, 0)
	e.SetLevel(level)
	b.SetBytes(int64(size))
	for b.Loop() {
		stored := 0
		for _, c := range chunks {
			enc, err := e.Encode(c.data, c.Elem, c.Parts)
			if err != nil {
				b.Fatal(err)
			}
			stored += len(enc.Header) + len(enc.Payload)
		}
		b.ReportMetric(float64(size)/float64(stored), "ratio")
	}
}

func benchmarkDecodeFiles(b *testing.B, paths []string, level codec.Level) {
	size := 0
	var chunks []*codedChunk
	for _, path := range paths {
		for _, c := range encodeFile(b, path, level) {
			chunks = append(chunks, c)
			size += len(c.dst)
		}
	}
	d := codec.NewDecoder()
	b.SetBytes(int64(size))
	for b.Loop() {
		for _, c := range chunks {
			if err := c.decode(d); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// codedChunk is a chunk that refers to none, and where to decode it.
type codedChunk struct {
	header, payload, dst []byte
}

// encodeFile codes the chunks of a file that have a type.
func encodeFile(b *testing.B, path string, level codec.Level) (chunks []*codedChunk) {
	data, spans := typedSpans(b, path)
	e := codec.NewEncoder(codec.Scape, 0)
	e.SetLevel(level)
	for _, s := range spans {
		enc, err := e.Encode(data[s.Off:s.Off+int64(s.Len)], s.Elem, s.Parts)
		if err != nil {
			b.Fatalf("%s: %v", strings.TrimSuffix(filepath.Base(path), ".safetensors"), err)
		}
		chunks = append(chunks, &codedChunk{bytes.Clone(enc.Header), bytes.Clone(enc.Payload), make([]byte, s.Len)})
	}
	return chunks
}

// typedSpans reads a file and cuts it into chunks; it gives those that have a
// type.
func typedSpans(b *testing.B, path string) (data []byte, spans []archive.Span) {
	data, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	header, err := safetensors.Parse(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		b.Fatalf("%s: %v", path, err)
	}
	for _, s := range archive.Plan(header, int64(len(data)), 0) {
		if s.Elem != codec.Bytes {
			spans = append(spans, s)
		}
	}
	return data, spans
}

// decode decodes all from the header on, as one who opens the archive does.
func (c *codedChunk) decode(d *codec.Decoder) error {
	chunk, err := codec.ParseChunk(c.header, len(c.dst))
	if err != nil {
		return err
	}
	for i := range chunk.NumBlocks() {
		k := chunk.Block(i)
		if err := d.Decode(chunk, i, c.dst[k.Off:k.Off+k.Len], c.payload[k.StoredOff:k.StoredOff+k.StoredLen], nil); err != nil {
			return err
		}
	}
	return nil
}
