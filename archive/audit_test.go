package archive

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/scapefs/scapefs/codec"
	"github.com/scapefs/scapefs/internal/trained"
)

// audited gives the bytes of an archive by kind, having checked their sum.
func audited(t *testing.T, r *Reader) map[string]int64 {
	t.Helper()
	shares, err := Audit(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	kinds, total := map[string]int64{}, int64(0)
	for i, s := range shares {
		if s.Kind != kindNames[i] || s.Bytes < 0 {
			t.Errorf("share %d is %d bytes of %q", i, s.Bytes, s.Kind)
		}
		kinds[s.Kind] = s.Bytes
		total += s.Bytes
	}
	if len(kinds) != numKinds || total != r.StoredSize() {
		t.Errorf("%d kinds add up to %d bytes of %d", len(kinds), total, r.StoredSize())
	}
	return kinds
}

// Every byte of the archive in the specification is counted by hand.
func TestAuditOfWorkedExample(t *testing.T) {
	content := makeSafetensors(t, bf16Tensor("w", 7, 600))
	got := audited(t, openBytes(t, packed(t, content, PackOptions{Method: codec.Auto})))
	want := map[string]int64{
		"file header":           16,
		"chunk headers":         5 + 10,
		"tables":                2 + 12,
		"block tables":          3 + 5,
		"payload, coded":        184,
		"payload, coder states": 16,
		"payload, raw":          104 + 600,
		"index":                 34 + 17 + 2*32,
		"profile":               0,
		"checksums":             2*8 + 32 + 2*8 + 16,
		"padding":               5 + 14,
		"trailer":               34,
	}
	for kind, n := range want {
		if got[kind] != n {
			t.Errorf("%s: %d bytes, counted by hand %d", kind, got[kind], n)
		}
	}
}

func TestAuditOfEveryMethod(t *testing.T) {
	data := smallModel(t)
	check := func(t *testing.T, opt PackOptions) {
		r := openBytes(t, packed(t, data, opt))
		kinds := audited(t, r)
		if n := kinds["profile"]; n != int64(len(r.Index().Profile)) || (n > 0) != opt.Method.NeedsProfile() {
			t.Errorf("a profile of %d bytes", n)
		}
		if n := kinds["payload, raw"]; opt.Method == codec.Raw && n != r.Size()-40000 {
			t.Errorf("%d raw bytes of %d, of which 40000 occur twice", n, r.Size())
		}
	}
	for _, m := range codec.Methods() {
		t.Run(m.String(), func(t *testing.T) { check(t, PackOptions{Method: m, ChunkLen: 40 << 10, BlockLen: 16 << 10}) })
	}
	for _, l := range codec.Levels() {
		t.Run(l.String(), func(t *testing.T) { check(t, PackOptions{Method: codec.Auto, Level: l}) })
	}
}

// TestAuditOfCorpus audits real weights: those of SCAPEFS_CORPUS, by default those
// of testdata.
func TestAuditOfCorpus(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(cmp.Or(os.Getenv("SCAPEFS_CORPUS"), "../testdata"), "*.safetensors"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no models: %v", err)
	}
	methods := []codec.Method{codec.Auto, codec.BF16SplitCtx, codec.FP16SplitCtx, codec.BF16SplitPretrained}
	if testing.Short() {
		methods, files = methods[:1], files[:1]
	}
	for _, file := range files {
		for _, m := range methods {
			t.Run(filepath.Base(file)+"/"+m.String(), func(t *testing.T) {
				t.Parallel()
				dst := filepath.Join(t.TempDir(), "a.scape")
				if _, err := Pack(t.Context(), dst, file, PackOptions{Method: m, Profile: trained.Profile()}); err != nil {
					t.Fatal(err)
				}
				audited(t, openPath(t, dst))
			})
		}
	}
}

// An archive whose parts do not fill it fails its audit.
func TestAuditFails(t *testing.T) {
	b := packed(t, makeSafetensors(t, bf16Tensor("w", 7, 600)), PackOptions{Method: codec.Auto})
	r := openBytes(t, b)
	r.src = &memSource{data: append(b[:len(b):len(b)], 0)}
	if _, err := Audit(t.Context(), r); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a byte more: %v", err)
	}
	r = openBytes(t, b)
	if _, err := r.Chunk(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	r.idx.Rows[1].PayloadLen--
	var ce *CorruptError
	if _, err := Audit(t.Context(), r); !errors.As(err, &ce) || ce.Chunk != 1 {
		t.Errorf("a record of another length: %v", err)
	}
}
