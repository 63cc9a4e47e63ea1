package archive

import (
	"bytes"
	"encoding/binary"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/scapefs/scapefs/codec"
	"github.com/zeebo/xxh3"
)

var update = flag.Bool("update", false, "rewrite the worked example in docs/format.md")

const (
	formatDoc    = "../docs/format.md"
	exampleBegin = "<!-- example: begin -->\n```\n"
	exampleEnd   = "```\n<!-- example: end -->"
)

// The worked example of the specification is what the code writes, and what a
// decoder written from the specification reads.
func TestWorkedExample(t *testing.T) {
	content := makeSafetensors(t, bf16Tensor("w", 7, 600))
	archive := packed(t, content, PackOptions{Method: codec.Auto})
	got, notes := decodeBySpec(t, archive)
	if !bytes.Equal(got, content) {
		t.Fatal("the decoder by specification gives other bytes")
	}
	doc, err := os.ReadFile(formatDoc)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok1 := strings.Cut(string(doc), exampleBegin)
	example, after, ok2 := strings.Cut(rest, exampleEnd)
	if !ok1 || !ok2 {
		t.Fatalf("%s has no place for the example", formatDoc)
	}
	if *update {
		if err := os.WriteFile(formatDoc, []byte(before+exampleBegin+notes+exampleEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if example != notes {
		t.Errorf("%s shows another archive than the code writes; go test ./archive -run WorkedExample -update", formatDoc)
	}
}

// The example of Huffman coding in the specification; package codec has it too.
func TestHuffmanExample(t *testing.T) {
	want := []byte{0, 1, 0, 2, 0, 3, 0, 1, 0, 0, 1}
	for _, coded := range [][]byte{{0x91, 0x9b, 0}, {3, 0x91, 0x9b, 0}} {
		parts := byte(len(coded) - 3)
		w := &walker{b: []byte{5, parts, 3, 0xdb, 0}}
		s := w.stream(&specModel{}, 0, 8)
		if got := specDecodeStream(t, &s, 0, len(want), coded); !bytes.Equal(got, want) {
			t.Errorf("%d streams: %v, want %v", s.parts, got, want)
		}
	}
}

// The example of a profile in the specification is what package codec reads, too.
func TestProfileExample(t *testing.T) {
	b := []byte{0x89, 'S', 'P', 'F', 1, 1, 0, 0xfc, 1, 1, 0xb, 0xaf, 0, 0xc, 0, 3, 0, 0x9f, 0, 0}
	b = binary.LittleEndian.AppendUint64(b, xxh3.Hash(b))
	w := &walker{b: b}
	p := w.readProfile()
	if d := cmp.Diff([][2][]int{{{3072, 1024}, {1024, 1024, 1024, 1024}}}, p.freq); d != "" || p.alphabet(1) != 253 || w.pos != len(b) {
		t.Errorf("read to %d of %d bytes (-want +got):\n%s", w.pos, len(b), d)
	}
	if got, err := codec.ParseProfile(b); err != nil || got.Distributions() != 1 || !bytes.Equal(got.Marshal(), b) {
		t.Errorf("package codec: %v", err)
	}
}

// Real models, by every method, through the decoder by specification.
func TestDecodeBySpecification(t *testing.T) {
	files, err := filepath.Glob("../testdata/*.safetensors")
	if err != nil || len(files) == 0 {
		t.Fatalf("no models: %v", err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		test := func(name string, opt PackOptions) {
			t.Run(filepath.Base(file)+"/"+name, func(t *testing.T) {
				t.Parallel()
				got, _ := decodeBySpec(t, packed(t, content, opt))
				if !bytes.Equal(got, content) {
					t.Error("other bytes")
				}
			})
		}
		for _, m := range codec.Methods() {
			test(m.String(), PackOptions{Method: m})
		}
		for _, l := range codec.Levels() {
			test(l.String(), PackOptions{Method: codec.Auto, Level: l})
		}
	}
}
