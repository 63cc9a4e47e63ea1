package safetensors

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// parsePath parses a real file and checks the result against what
// encoding/json alone makes of its header.
func parsePath(t *testing.T, path string) *Header {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h, err := Parse(f, int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	checkCovers(t, h, int64(len(b)))

	n := binary.LittleEndian.Uint64(b)
	if h.DataStart != int64(8+n) {
		t.Errorf("data starts at %d, want %d", h.DataStart, 8+n)
	}
	var want, got map[string]any
	if err := json.Unmarshal(b[8:8+n], &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(marshal(t, h)), &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	return h
}

// The files in testdata, as their sources describe them.
func TestTestdata(t *testing.T) {
	for name, want := range map[string]struct {
		dtype           DType
		tensors, params int64
	}{
		"stories260k.bf16":    {BF16, 47, 260032},
		"silero-vad-16k.bf16": {BF16, 15, 309633},
		"silero-vad-16k.fp32": {F32, 15, 309633},
		"g2p-en-gru.fp16":     {F16, 12, 834890},
	} {
		t.Run(name, func(t *testing.T) {
			h := parsePath(t, filepath.Join("..", "testdata", name+".safetensors"))
			var params int64
			for _, ts := range h.Tensors {
				if ts.DType != want.dtype {
					t.Errorf("tensor %q is %s, want %s", ts.Name, ts.DType, want.dtype)
				}
				n := int64(1)
				for _, d := range ts.Shape {
					n *= d
				}
				params += n
			}
			if n := int64(len(h.Tensors)); n != want.tensors || params != want.params {
				t.Errorf("%d tensors of %d parameters, want %d of %d", n, params, want.tensors, want.params)
			}
		})
	}
}

// TestCorpus parses every safetensors file of the folder SCAPEFS_CORPUS.
func TestCorpus(t *testing.T) {
	dir := os.Getenv("SCAPEFS_CORPUS")
	if dir == "" {
		t.Skip("SKIPPED: set SCAPEFS_CORPUS to a folder of safetensors files to parse them all")
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Fatalf("no safetensors files in SCAPEFS_CORPUS=%s", dir)
	}
	for _, p := range paths {
		t.Run(filepath.Base(p), func(t *testing.T) { parsePath(t, p) })
	}
}
