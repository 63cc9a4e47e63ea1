package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/scapefs/scapefs/archive"
	"github.com/scapefs/scapefs/codec"
	"github.com/scapefs/scapefs/internal/trained"
	"github.com/scapefs/scapefs/safetensors"
	"github.com/scapefs/scapefs/testdata"
	"github.com/urfave/cli/v2"
)

func TestFlagsFirst(t *testing.T) {
	tests := []struct{ in, want []string }{
		{[]string{}, []string{}},
		{[]string{"pack"}, []string{"pack", "--"}},
		{[]string{"pack", "a", "--replace", "b"}, []string{"pack", "--replace", "--", "a", "b"}},
		{[]string{"pack", "a", "-o", "out", "b"}, []string{"pack", "-o", "out", "--", "a", "b"}},
		{[]string{"pack", "a", "--output=out"}, []string{"pack", "--output=out", "--", "a"}},
		{[]string{"pack", "a", "-o"}, []string{"pack", "-o", "--", "a"}},
		{[]string{"pack", "--", "-o", "--", "x"}, []string{"pack", "--", "-o", "--", "x"}},
		{[]string{"pack", "-"}, []string{"pack", "--", "-"}},
		{[]string{"nothing", "a", "-o"}, []string{"nothing", "a", "-o"}},
	}
	app := newApp(io.Discard, io.Discard)
	for _, test := range tests {
		got := flagsFirst(app, append([]string{"scapefs"}, test.in...))
		if want := append([]string{"scapefs"}, test.want...); !slices.Equal(got, want) {
			t.Errorf("flagsFirst(%q) = %q, want %q", test.in, got, want)
		}
	}
}

// A process in the background gets what the command line says, and what it leaves
// to defaults.
func TestMountInTheBackgroundIsTheSame(t *testing.T) {
	for _, args := range [][]string{
		{},
		{"--readahead", "0"},
		{"--readahead", "8MiB", "--cache-size", "64MiB", "--jobs", "3", "--allow-other", "--page-cache", "fuse"},
		{"--log-file", "/log", "--log-format", "json"},
	} {
		want := readMountArgs(t, append(args, "/src", "/mnt"))
		got := readMountArgs(t, want.command(3)[1:])
		if !got.foreground || got.readyFD != 3 {
			t.Errorf("%q: %+v", args, got)
		}
		got.foreground, got.readyFD = false, 0
		if got != want {
			t.Errorf("%q: %+v, in the background %+v", args, want, got)
		}
	}
}

// readMountArgs gives what mount would go by.
func readMountArgs(t *testing.T, args []string) (a mountArgs) {
	t.Helper()
	mount := mountCommandOf(&a)
	mount.Action = a.read
	app := &cli.App{Commands: []*cli.Command{mount}}
	if err := app.Run(append([]string{"scapefs", "mount"}, args...)); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestByteSize(t *testing.T) {
	for in, want := range map[string]byteSize{"0": 0, "1": 1, "4MiB": 4 << 20, "1.5GiB": 3 << 29, "512M": 512e6} {
		var b byteSize
		if err := b.Set(in); err != nil || b != want {
			t.Errorf("Set(%q) = %d, %v, want %d", in, b, err, want)
		}
	}
	for _, in := range []string{"", "x", "-1", "1 parsec", "9223372036854775808", "99999999999 TiB"} {
		var b byteSize
		if err := b.Set(in); err == nil {
			t.Errorf("Set(%q) = %d, want an error", in, b)
		}
	}
}

func TestExitCode(t *testing.T) {
	for _, test := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("any"), 1},
		{context.Canceled, 1},
		{usagef("wrong"), 2},
		{fmt.Errorf("in: %w", usagef("wrong")), 2},
		{fmt.Errorf("in: %w", &archive.CorruptError{Path: "x", Err: errors.New("bad")}), 3},
		{errors.Join(errors.New("any"), archive.ErrNotArchive), 3},
		{archive.ErrVersion, 3},
		{archive.ErrUnsupported, 3},
		{archive.ErrChanged, 1},
		{&codeError{code: 3}, 3},
	} {
		if got := exitCode(test.err); got != test.want {
			t.Errorf("exitCode(%v) = %d, want %d", test.err, got, test.want)
		}
	}
}

func TestReportHasOneLineAnError(t *testing.T) {
	var b bytes.Buffer
	report(&b, errors.Join(errors.New("one"), errors.New("two")))
	report(&b, nil)
	report(&b, &codeError{code: 3})
	report(&b, fmt.Errorf("x: %w", context.Canceled))
	if want := "scapefs: one\nscapefs: two\nscapefs: interrupted\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

// The gravest failure decides, and an interrupt ends the work.
func TestEach(t *testing.T) {
	var seen []int
	err := each(context.Background(), io.Discard, []int{0, 3, 1}, func(code int) error {
		seen = append(seen, code)
		if code == 0 {
			return nil
		}
		return &codeError{code: code, msg: "failed"}
	})
	if exitCode(err) != 3 || err.Error() != "" || !slices.Equal(seen, []int{0, 3, 1}) {
		t.Errorf("each gave %v (code %d) after %v", err, exitCode(err), seen)
	}
	ctx, cancel := context.WithCancel(context.Background())
	seen = nil
	err = each(ctx, io.Discard, []int{1, 2, 3}, func(n int) error {
		seen = append(seen, n)
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) || len(seen) != 1 {
		t.Errorf("each gave %v after %v, want it cancelled after the first", err, seen)
	}
}

func TestDemoModelIsValidAndOfItsSize(t *testing.T) {
	for _, size := range []int64{0, 1, 1 << 20, 9 << 20} {
		m, err := newDemoModel(size)
		if err != nil {
			t.Fatal(err)
		}
		var a, b bytes.Buffer
		if err := m.write(t.Context(), &a); err != nil {
			t.Fatal(err)
		}
		if err := m.write(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Errorf("size %d: two runs differ", size)
		}
		h, err := safetensors.Parse(bytes.NewReader(a.Bytes()), int64(a.Len()))
		if err != nil {
			t.Fatalf("size %d: %v", size, err)
		}
		if want := m.layers * len(m.real.Tensors); len(h.Tensors) != want {
			t.Errorf("size %d: %d tensors, want %d", size, len(h.Tensors), want)
		}
		if got := int64(a.Len()); size >= 1<<20 && (got < size*3/4 || got > size*5/4) {
			t.Errorf("size %d: made %d bytes", size, got)
		}
	}
}

// Each copy has the elements of the original, each as often, in an order of
// its own.
func TestShuffle(t *testing.T) {
	src := make([]byte, 2*1000)
	for i := range 1000 {
		src[2*i], src[2*i+1] = byte(i), byte(i>>8)
	}
	rng := rand.New(rand.NewPCG(0, 0))
	orders := map[string]bool{}
	for range 50 {
		got := appendShuffled(rng, nil, src)
		orders[string(got)] = true
		if a, b := elements(got), elements(src); !slices.Equal(a, b) {
			t.Fatal("elements were lost")
		}
	}
	if len(orders) != 50 {
		t.Errorf("%d orders in 50 copies", len(orders))
	}
	for _, n := range []int{0, 2, 4} {
		if got := appendShuffled(rng, nil, src[:n]); len(got) != n {
			t.Errorf("%d bytes became %d", n, len(got))
		}
	}
}

func elements(b []byte) []int {
	var v []int
	for i := 0; i < len(b); i += 2 {
		v = append(v, int(b[i])|int(b[i+1])<<8)
	}
	slices.Sort(v)
	return v
}

// A sample has the first chunks that pack makes of a file, as many as fit.
func TestTakeSample(t *testing.T) {
	dir := t.TempDir()
	model, text := filepath.Join(dir, "m.safetensors"), filepath.Join(dir, "text")
	for path, data := range map[string][]byte{model: testdata.Stories260K, text: bytes.Repeat([]byte("text"), 1000)} {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	size := int64(len(testdata.Stories260K))
	for _, test := range []struct {
		path   string
		limit  int64
		chunks int
		elem   codec.Elem // of the last
	}{
		{model, size, 2, codec.BF16},
		{model, size - 1, 1, codec.Bytes},
		{text, 4000, 1, codec.Bytes},
		{text, 3999, 0, codec.Bytes},
	} {
		s, err := takeSample(test.path, test.limit)
		if err != nil {
			t.Fatal(err)
		}
		var sum int64
		for _, c := range s.chunks {
			sum += int64(len(c.data))
		}
		if sum != s.Measured || len(s.chunks) != test.chunks || sum > test.limit || test.limit < s.Size && sum == s.Size {
			t.Errorf("%+v: %d chunks of %d bytes, taken %d of %d", test, len(s.chunks), sum, s.Measured, s.Size)
		}
		if n := len(s.chunks); n > 0 && s.chunks[n-1].Elem != test.elem {
			t.Errorf("%+v: elements %+v", test, s.chunks[n-1].Elem)
		}
	}
}

// The limit is for all files together; what one does not use is for those
// behind it.
func TestTakeSamplesShareALimit(t *testing.T) {
	small, large := filepath.Join(t.TempDir(), "small"), filepath.Join(t.TempDir(), "large")
	for path, size := range map[string]int64{small: 1000, large: 20 << 20} {
		if err := errors.Join(os.WriteFile(path, nil, 0o644), os.Truncate(path, size)); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		paths []string
		want  []int64
	}{
		{[]string{small}, []int64{1000}},
		{[]string{small, large}, []int64{1000, 12 << 20}},
		{[]string{large, small}, []int64{8 << 20, 1000}},
		{[]string{large, large}, []int64{8 << 20, 8 << 20}},
	} {
		samples, err := takeSamples(test.paths, 16<<20)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range samples {
			if s.Measured != test.want[i] {
				t.Errorf("%v: took %d of file %d, want %d", test.paths, s.Measured, i, test.want[i])
			}
		}
	}
}

// The size that bench finds is that of the archive, equal chunks and references
// included.
func TestBenchHasTheSizeOfTheArchive(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	dir := t.TempDir()
	model, twice, alike := filepath.Join(dir, "m.safetensors"), filepath.Join(dir, "twice"), filepath.Join(dir, "alike.safetensors")
	for path, data := range map[string][]byte{
		model: testdata.Stories260K,
		twice: make([]byte, 2*archive.DefaultChunkLen),
		alike: alikeTensors(t, 600<<10, 300),
	} {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for path, records := range map[string]int{model: 2, twice: 1, alike: 3} {
		samples, err := takeSamples([]string{path}, benchLimit)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range benchRows([]*codec.Profile{trained.Profile()}) {
			coded, err := encodeSamples(t.Context(), io.Discard, r, samples)
			if err != nil {
				t.Fatal(err)
			}
			res, err := archive.Pack(t.Context(), filepath.Join(dir, "x"), path, archive.PackOptions{Method: r.method, Level: r.level, Profile: r.profile, Overwrite: true})
			if err != nil {
				t.Fatal(err)
			}
			if coded.original != res.Original || coded.stored != res.Stored || res.Records != records {
				t.Errorf("%s by %v: %d of %d bytes, the archive has %d of %d in %d records",
					path, r, coded.stored, coded.original, res.Stored, res.Original, res.Records)
			}
			if refers := slices.ContainsFunc(coded.chunks, func(c *codedChunk) bool { return c.refers }); refers != (path == alike && r.method == codec.Auto) {
				t.Errorf("%s by %v: refers: %v", path, r, refers)
			}
			if _, err := coded.race(t.Context(), r, 2, time.Millisecond); err != nil {
				t.Errorf("%s by %v: %v", path, r, err)
			}
		}
	}
}

// alikeTensors makes a file of two matrices of n bf16, the second of which has
// two columns of three in common with the first.
func alikeTensors(t *testing.T, n, columns int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, 2*2*n)
	for i := range data {
		data[i] = byte(r.NormFloat64() * 20)
	}
	for i := range n {
		if i%columns%3 > 0 {
			copy(data[2*(n+i):][:2], data[2*i:])
		}
	}
	shape := []int64{int64(n / columns), int64(columns)}
	end := int64(2 * n)
	header, err := marshalHeader([]safetensors.Tensor{
		{Name: "a", DType: "BF16", Shape: shape, End: end},
		{Name: "b", DType: "BF16", Shape: shape, Begin: end, End: 2 * end},
	})
	if err != nil {
		t.Fatal(err)
	}
	return append(header, data...)
}

func TestParseZstd(t *testing.T) {
	got, err := parseZstd([]byte("bench 1.5.4 : input 524536 bytes, 0 seconds, 0 KB blocks\n-3       411133 (1.276) 411.95 MB/s 1734.8 MB/s  m\n"))
	want := benchZstd{Program: "the program zstd 1.5.4, by its own -b", Level: 3, Ratio: 1.276, Encode: 411.95, Decode: 1734.8}
	if err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if _, err := parseZstd([]byte("zstd: no such option")); err == nil {
		t.Error("no error for what is no benchmark")
	}
}

func TestMarshalHeader(t *testing.T) {
	for n := range 4 {
		tensors := make([]safetensors.Tensor, n)
		for i := range tensors {
			tensors[i] = safetensors.Tensor{Name: fmt.Sprintf("\"%d\"", i), DType: safetensors.U8, Shape: []int64{int64(i)}, End: int64(i)}
		}
		b, err := marshalHeader(tensors)
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, make([]byte, n*(n-1)/2)...)
		h, err := safetensors.Parse(bytes.NewReader(b), int64(len(b)))
		if err != nil || len(h.Tensors) != n {
			t.Errorf("%d tensors: %v, %v", n, h, err)
		}
	}
}
