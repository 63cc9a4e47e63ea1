package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/scapefs/scapefs/safetensors"
)

// The model has the tensors and the size of Qwen2.5-7B, in valid files.
func TestShapes(t *testing.T) {
	var size int64
	all := qwen(1)
	for _, x := range all {
		size += x.bytes()
	}
	if len(all) != 339 || size != 15_231_233_024 {
		t.Errorf("%d tensors of %d bytes, want 339 of 15231233024", len(all), size)
	}
	count := 0
	for _, s := range split(qwen(32)) {
		var b bytes.Buffer
		if err := s.write(&b); err != nil {
			t.Fatal(err)
		}
		h, err := safetensors.Parse(bytes.NewReader(b.Bytes()), s.size())
		if err != nil || int64(b.Len()) != s.size() {
			t.Fatalf("%s: %d bytes of %d, %v", s.name, b.Len(), s.size(), err)
		}
		count += len(h.Tensors)
	}
	if count != 339 {
		t.Errorf("%d tensors in the files", count)
	}
}

// The index of a model of 1 TB is small, and finds every offset.
func TestIndexOfTerabyte(t *testing.T) {
	s, err := simulate(1e12)
	if err != nil || s.IndexBytes > 48*s.Chunks+4096 {
		t.Errorf("%+v, %v", s, err)
	}
}

// The same model in small is packed, mounted and read as the large one is.
func TestSmallScale(t *testing.T) {
	if _, err := os.Stat("/dev/fuse"); err != nil {
		if os.Getenv("SCAPEFS_REQUIRE") != "" {
			t.Fatal("needs /dev/fuse, and SCAPEFS_REQUIRE is set")
		}
		t.Skip("SKIPPED: needs /dev/fuse")
	}
	c := config{dir: t.TempDir(), shrink: 32, memory: 256 << 20, level: "fast"}
	c.program = filepath.Join(c.dir, "scapefs")
	build := exec.Command("go", "build", "-o", c.program, "github.com/scapefs/scapefs/cmd/scapefs")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build scapefs: %v\n%s", err, out)
	}
	r, err := scale(c, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if r.Tensors != 339 || r.Stored >= r.Bytes || r.IndexBytes == 0 {
		t.Errorf("%+v", r)
	}
}
