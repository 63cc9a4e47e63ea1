package archive

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scapefs/scapefs/codec"
	"github.com/scapefs/scapefs/index"
	"github.com/scapefs/scapefs/internal/trained"
)

// roundTrip packs and unpacks the file at src, and compares all there is to
// compare.
func roundTrip(t *testing.T, src string, opt PackOptions) (Result, string) {
	t.Helper()
	dir := t.TempDir()
	dst, back := filepath.Join(dir, "a.scape"), filepath.Join(dir, "back")
	want, err := os.ReadFile(src)
	if err != nil {
		t.Fatal(err)
	}
	res, err := Pack(t.Context(), dst, src, opt)
	if err != nil {
		t.Fatal(err)
	}
	r := openPath(t, dst)
	if err := Unpack(t.Context(), back, r, UnpackOptions{Jobs: opt.Jobs}); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(back)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("unpacked %d bytes differ from the original's %d", len(got), len(want))
	}
	if all, err := decodeAll(t.Context(), r); err != nil || !bytes.Equal(all, want) {
		t.Fatalf("blocks do not make the original: %v", err)
	}
	checkMeta(t, src, dst, back, r, res)
	if res.SHA256 != sha256.Sum256(want) {
		t.Error("SHA-256 differs")
	}
	if names := filesIn(t, dir); !slices.Equal(names, []string{"a.scape", "back"}) {
		t.Errorf("the folder has %v", names)
	}
	return res, dst
}

func openPath(t *testing.T, path string) *Reader {
	t.Helper()
	src, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func checkMeta(t *testing.T, src, dst, back string, r *Reader, res Result) {
	t.Helper()
	a, err1 := os.Stat(src)
	b, err2 := os.Stat(back)
	c, err3 := os.Stat(dst)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	if !a.ModTime().Equal(b.ModTime()) || a.Mode() != b.Mode() || a.Mode() != c.Mode() {
		t.Errorf("original %v %v, unpacked %v %v, archive %v", a.ModTime(), a.Mode(), b.ModTime(), b.Mode(), c.Mode())
	}
	if r.Index().Meta.Name != filepath.Base(src) || r.Size() != a.Size() || r.StoredSize() != c.Size() {
		t.Errorf("archive says %q, %d bytes of %d", r.Index().Meta.Name, r.StoredSize(), r.Size())
	}
	if res.Original != a.Size() || res.Stored != c.Size() || res.Chunks != len(r.Index().Rows) {
		t.Errorf("result %+v", res)
	}
}

func TestRoundTrip(t *testing.T) {
	model := smallModel(t)
	files := map[string][]byte{
		"empty":             nil,
		"one byte":          {7},
		"seven bytes":       noise(1, 7),
		"header only":       makeSafetensors(t),
		"empty tensor only": makeSafetensors(t, tensor{"e", "F16", []int64{2, 0}, nil}),
		"small model":       model,
		"trailing bytes":    append(bytes.Clone(model), 1, 2, 3),
		"cut short":         model[:len(model)-1],
		"huge header":       append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, noise(2, 100)...),
		"not safetensors":   noise(3, 100_001),
		"zeros":             make([]byte, 1<<20+1),
	}
	for name, data := range files {
		for _, m := range testMethods {
			t.Run(fmt.Sprintf("%s/%v", name, m), func(t *testing.T) {
				src := writeFile(t, "x.safetensors", data)
				roundTrip(t, src, PackOptions{Method: m, ChunkLen: 64 << 10, BlockLen: 16 << 10})
				roundTrip(t, src, PackOptions{Method: m, Jobs: 2})
			})
		}
	}
}

// TestRoundTripCorpus packs the real weights of the folder SCAPEFS_CORPUS, by
// default those of testdata.
func TestRoundTripCorpus(t *testing.T) {
	dir := cmp.Or(os.Getenv("SCAPEFS_CORPUS"), "../testdata")
	files, err := filepath.Glob(filepath.Join(dir, "*.safetensors"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no safetensors files in %s: %v", dir, err)
	}
	for _, src := range files {
		t.Run(filepath.Base(src), func(t *testing.T) {
			res, _ := roundTrip(t, src, PackOptions{Method: codec.Auto, Warn: func(m string) { t.Error(m) }})
			if res.Stored >= res.Original+4096 {
				t.Errorf("%d bytes became %d", res.Original, res.Stored)
			}
		})
	}
}

// TestEveryMethod: each method that can be written can be read.
func TestEveryMethod(t *testing.T) {
	src := writeFile(t, "x.safetensors", smallModel(t))
	for _, m := range codec.Methods() {
		t.Run(m.String(), func(t *testing.T) {
			if m.NeedsProfile() {
				_, err := Pack(t.Context(), filepath.Join(t.TempDir(), "a.scape"), src, PackOptions{Method: m})
				if !errors.Is(err, codec.ErrNoProfile) {
					t.Errorf("without a profile: %v", err)
				}
			}
			roundTrip(t, src, PackOptions{Method: m, Profile: trained.Profile()})
		})
	}
}

// Of real models, auto makes archives as small as the best single method does, but
// for 0.05 %.
func TestAutoIsTheBestOfModels(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	files, err := filepath.Glob("../testdata/*.safetensors")
	if err != nil || len(files) == 0 {
		t.Fatalf("no models: %v", err)
	}
	for _, src := range files {
		t.Run(filepath.Base(src), func(t *testing.T) {
			t.Parallel()
			dst := filepath.Join(t.TempDir(), "a.scape")
			size := func(m codec.Method) int64 {
				res, err := Pack(t.Context(), dst, src, PackOptions{Method: m, Profile: trained.Profile(), Overwrite: true})
				if err != nil {
					t.Fatal(err)
				}
				return res.Stored
			}
			auto := size(codec.Auto)
			for _, m := range codec.Methods() {
				if n := size(m); float64(auto) > 1.0005*float64(n) {
					t.Errorf("%d bytes, %d by %v", auto, n, m)
				}
			}
		})
	}
}

// TestProfiledIsDeterministic: nor does the number of workers matter where they
// share a profile.
func TestProfiledIsDeterministic(t *testing.T) {
	data := smallModel(t)
	for _, m := range []codec.Method{codec.BF16SplitMixture, codec.Zstd19Dict} {
		one := packed(t, data, PackOptions{Method: m, Jobs: 1, ChunkLen: 8 << 10})
		if four := packed(t, data, PackOptions{Method: m, Jobs: 4, ChunkLen: 8 << 10}); !bytes.Equal(one, four) {
			t.Errorf("%v: four jobs make another archive than one", m)
		}
	}
}

func TestDeterministic(t *testing.T) {
	src := writeFile(t, "x.safetensors", smallModel(t))
	var want []byte
	for jobs := 1; jobs <= 4; jobs++ {
		_, dst := roundTrip(t, src, PackOptions{Method: codec.Auto, Jobs: jobs, ChunkLen: 8 << 10})
		got, err := os.ReadFile(dst)
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = got
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%d jobs make another archive than one", jobs)
		}
	}
}

func TestEqualChunksAreStoredOnce(t *testing.T) {
	b := bf16Tensor("b", 1, 1<<20)
	b.dtype = "I16"
	twice := makeSafetensors(t, bf16Tensor("a", 1, 1<<20), b)
	once := makeSafetensors(t, bf16Tensor("a", 1, 1<<20))
	res2, dst := roundTrip(t, writeFile(t, "x.safetensors", twice), PackOptions{Method: codec.Raw, ChunkLen: 512 << 10})
	res1, _ := roundTrip(t, writeFile(t, "x.safetensors", once), PackOptions{Method: codec.Raw, ChunkLen: 512 << 10})
	if res2.Chunks != 9 || res2.Records != 5 {
		t.Errorf("%d chunks, %d records; want 9 and 5", res2.Chunks, res2.Records)
	}
	if more := res2.Stored - res1.Stored; more > 1000 {
		t.Errorf("a second copy takes %d bytes", more)
	}
	rows := openPath(t, dst).Index().Rows
	for i := 1; i <= 4; i++ {
		if rows[i].Pos != rows[i+4].Pos {
			t.Errorf("chunks %d and %d are stored apart", i, i+4)
		}
		if a, b := index.DTypeName(rows[i].DType), index.DTypeName(rows[i+4].DType); a != "BF16" || b != "I16" {
			t.Errorf("chunks %d and %d have dtypes %s and %s", i, i+4, a, b)
		}
	}
}

func TestInvalidSafetensorsWarns(t *testing.T) {
	for _, data := range [][]byte{noise(1, 1000), nil} {
		var warnings []string
		opt := PackOptions{Warn: func(m string) { warnings = append(warnings, m) }}
		packed(t, data, opt)
		if len(warnings) != 1 || !strings.Contains(warnings[0], "model.safetensors") {
			t.Errorf("warnings: %q", warnings)
		}
	}
	packed(t, smallModel(t), PackOptions{Warn: func(m string) { t.Errorf("warning: %s", m) }})
}

func TestExistingDestination(t *testing.T) {
	src := writeFile(t, "x.safetensors", smallModel(t))
	dst := writeFile(t, "x.scape", []byte("mine"))
	if _, err := Pack(t.Context(), dst, src, PackOptions{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v", err)
	}
	if b, _ := os.ReadFile(dst); string(b) != "mine" {
		t.Error("the file is not what it was")
	}
	if _, err := Pack(t.Context(), dst, src, PackOptions{Overwrite: true}); err != nil {
		t.Fatal(err)
	}
	r := openPath(t, dst)
	if err := Unpack(t.Context(), src, r, UnpackOptions{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v", err)
	}
	if err := Unpack(t.Context(), src, r, UnpackOptions{Overwrite: true}); err != nil {
		t.Error(err)
	}
	if _, err := Pack(t.Context(), t.TempDir(), src, PackOptions{Overwrite: true}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a folder: %v", err)
	}
}

// TestDestinationAppears: a file that comes up while packing is not replaced.
func TestDestinationAppears(t *testing.T) {
	src := writeFile(t, "x.safetensors", smallModel(t))
	dst := filepath.Join(t.TempDir(), "x.scape")
	opt := PackOptions{Progress: func(int64, int64) {
		if err := os.WriteFile(dst, []byte("mine"), 0o600); err != nil {
			t.Error(err)
		}
	}}
	if _, err := Pack(t.Context(), dst, src, opt); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v", err)
	}
	if b, _ := os.ReadFile(dst); string(b) != "mine" {
		t.Error("the file is not what it was")
	}
	if names := filesIn(t, filepath.Dir(dst)); len(names) != 1 {
		t.Errorf("left: %v", names)
	}
}

func TestPackRefuses(t *testing.T) {
	src := writeFile(t, "x.safetensors", smallModel(t))
	dir := t.TempDir()
	dst := filepath.Join(dir, "x.scape")
	for _, c := range []struct {
		name     string
		dst, src string
		opt      PackOptions
		want     error
	}{
		{"itself", src, src, PackOptions{Overwrite: true}, nil},
		{"a folder", dst, dir, PackOptions{}, nil},
		{"a device", dst, "/dev/zero", PackOptions{}, nil},
		{"nothing", dst, filepath.Join(dir, "none"), PackOptions{}, fs.ErrNotExist},
		{"into no folder", filepath.Join(dir, "no", "x.scape"), src, PackOptions{}, fs.ErrNotExist},
		{"chunk size small", dst, src, PackOptions{ChunkLen: 2048}, nil},
		{"chunk size odd", dst, src, PackOptions{ChunkLen: 5000}, nil},
		{"chunk size large", dst, src, PackOptions{ChunkLen: codec.MaxChunkLen + 4096}, nil},
		{"chunk size negative", dst, src, PackOptions{ChunkLen: -4096}, nil},
		{"block size large", dst, src, PackOptions{BlockLen: codec.MaxBlockLen + 1}, nil},
		{"method unknown", dst, src, PackOptions{Method: 200}, ErrUnsupported},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Pack(t.Context(), c.dst, c.src, c.opt)
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if names := filesIn(t, dir); len(names) != 0 {
				t.Errorf("left: %v", names)
			}
		})
	}
}

// TestSourceChanges changes the source at every step of packing.
func TestSourceChanges(t *testing.T) {
	changes := map[string]func(path string) error{
		"touched": func(path string) error { return os.Chtimes(path, time.Time{}, time.Unix(1, 0)) },
		"appended, mtime set back": func(path string) error {
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteString("x")
			return errors.Join(err, f.Close(), os.Chtimes(path, time.Time{}, info.ModTime()))
		},
		"rewritten, mtime set back": func(path string) error {
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			return errors.Join(os.WriteFile(path, noise(2, int(info.Size())), 0o600), os.Chtimes(path, time.Time{}, info.ModTime()))
		},
		"cut":     func(path string) error { return os.Truncate(path, 100) },
		"removed": os.Remove,
		"replaced": func(path string) error {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return errors.Join(os.WriteFile(path+".new", b, 0o600), os.Rename(path+".new", path))
		},
	}
	data := noise(1, 100_000)
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			for step := range 2 * len(data) / (8 << 10) {
				src := writeFile(t, "x.bin", data)
				dst := filepath.Join(t.TempDir(), "x.scape")
				calls := 0
				opt := PackOptions{ChunkLen: 8 << 10, Jobs: 1, Progress: func(int64, int64) {
					if calls == step {
						if err := change(src); err != nil {
							t.Error(err)
						}
					}
					calls++
				}}
				if _, err := Pack(t.Context(), dst, src, opt); !errors.Is(err, ErrChanged) {
					t.Errorf("step %d: %v", step, err)
				}
				if names := filesIn(t, filepath.Dir(dst)); len(names) != 0 {
					t.Errorf("step %d left %v", step, names)
				}
			}
		})
	}
}

// TestInterrupted cancels at every step; nothing is left, whenever it comes.
func TestInterrupted(t *testing.T) {
	src := writeFile(t, "x.bin", noise(1, 100_000))
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole.scape")
	if _, err := Pack(t.Context(), whole, src, PackOptions{ChunkLen: 8 << 10}); err != nil {
		t.Fatal(err)
	}
	run := func(step int, f func(ctx context.Context, progress func(done, total int64)) error) error {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		calls := 0
		return f(ctx, func(int64, int64) {
			if calls == step {
				cancel()
			}
			calls++
		})
	}
	for step := range 25 {
		err := run(step, func(ctx context.Context, progress func(done, total int64)) error {
			_, err := Pack(ctx, filepath.Join(dir, "x.scape"), src, PackOptions{ChunkLen: 8 << 10, Progress: progress})
			return err
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("pack, step %d: %v", step, err)
		}
	}
	for step := range 12 {
		r := openPath(t, whole)
		err := run(step, func(ctx context.Context, progress func(done, total int64)) error {
			return Unpack(ctx, filepath.Join(dir, "x.bin"), r, UnpackOptions{Progress: progress})
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("unpack, step %d: %v", step, err)
		}
	}
	if names := filesIn(t, dir); !slices.Equal(names, []string{"whole.scape"}) {
		t.Errorf("left: %v", names)
	}
}

// TestProgress: it only grows, and ends at the total.
func TestProgress(t *testing.T) {
	src := writeFile(t, "x.bin", noise(1, 100_000))
	var last, calls int64
	progress := func(done, total int64) {
		if done <= last || done > total || total != 200_000 {
			t.Errorf("%d of %d after %d", done, total, last)
		}
		last = done
		calls++
	}
	dst := filepath.Join(t.TempDir(), "x.scape")
	if _, err := Pack(t.Context(), dst, src, PackOptions{ChunkLen: 8 << 10, Progress: progress}); err != nil {
		t.Fatal(err)
	}
	if last != 200_000 || calls != 26 {
		t.Errorf("ends at %d after %d calls", last, calls)
	}
}

func TestLongNames(t *testing.T) {
	src := writeFile(t, strings.Repeat("n", 255), smallModel(t))
	dst := filepath.Join(t.TempDir(), strings.Repeat("m", 255))
	if _, err := Pack(t.Context(), dst, src, PackOptions{}); err != nil {
		t.Error(err)
	}
}
