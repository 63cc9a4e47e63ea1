package archive

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/scapefs/scapefs/codec"
	"github.com/scapefs/scapefs/index"
	"github.com/scapefs/scapefs/internal/trained"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tensor is one of a safetensors file to be made.
type tensor struct {
	name  string
	dtype string
	shape []int64
	data  []byte
}

// makeSafetensors gives the bytes of a safetensors file.
func makeSafetensors(t testing.TB, tensors ...tensor) []byte {
	t.Helper()
	hdr := map[string]any{"__metadata__": map[string]string{"format": "pt"}}
	var data []byte
	for _, x := range tensors {
		begin := len(data)
		data = append(data, x.data...)
		hdr[x.name] = map[string]any{"dtype": x.dtype, "shape": x.shape, "data_offsets": []int{begin, len(data)}}
	}
	b, err := json.Marshal(hdr)
	if err != nil {
		t.Fatal(err)
	}
	for len(b)%8 != 0 {
		b = append(b, ' ')
	}
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(b))), b...), data...)
}

// bf16s gives n bfloat16 values as weights have them.
func bf16s(seed uint64, n int) []byte {
	rng := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, 0, 2*n)
	for range n {
		b = binary.LittleEndian.AppendUint16(b, uint16(math.Float32bits(float32(rng.NormFloat64()*0.02))>>16))
	}
	return b
}

// noise gives n random bytes.
func noise(seed uint64, n int) []byte {
	rng := rand.New(rand.NewPCG(seed, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func bf16Tensor(name string, seed uint64, n int) tensor {
	return tensor{name, "BF16", []int64{int64(n)}, bf16s(seed, n)}
}

// smallModel has small tensors of several dtypes, one of them empty, and two
// large ones with equal contents.
func smallModel(t testing.TB) []byte {
	return makeSafetensors(t,
		bf16Tensor("a", 1, 3000),
		bf16Tensor("b", 2, 501),
		tensor{"empty", "F32", []int64{0}, nil},
		bf16Tensor("c", 3, 8),
		tensor{"ids", "I64", []int64{3}, noise(4, 24)},
		tensor{"mask", "BOOL", []int64{7}, make([]byte, 7)},
		bf16Tensor("tied.1", 5, 20000),
		bf16Tensor("tied.2", 5, 20000),
		tensor{"q", "U8", []int64{333}, noise(6, 333)},
	)
}

// writeFile writes a file of a fixed mtime into a new folder.
func writeFile(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o640); err != nil {
		t.Fatal(err)
	}
	mtime := time.Unix(1600000000, 987654321)
	if err := os.Chtimes(path, mtime, mtime); err != nil {
		t.Fatal(err)
	}
	return path
}

// packed gives the archive of a file with the contents given, by a profile for
// tests if the method needs one.
func packed(t testing.TB, data []byte, opt PackOptions) []byte {
	t.Helper()
	opt.Profile = trained.Profile()
	src := writeFile(t, "model.safetensors", data)
	dst := filepath.Join(t.TempDir(), "model.scape")
	if _, err := Pack(t.Context(), dst, src, opt); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(dst)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// memSource is a Source over bytes that logs what is read, and may fail.
type memSource struct {
	data []byte
	fail func(off int64, n int) error

	mu     sync.Mutex
	reads  [][2]int64 // offset, length
	closed bool
}

func (s *memSource) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads = append(s.reads, [2]int64{off, int64(len(p))})
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if s.fail != nil {
		if err := s.fail(off, len(p)); err != nil {
			return 0, err
		}
	}
	if off < 0 || off+int64(len(p)) > int64(len(s.data)) {
		return 0, errors.New("read outside of the source")
	}
	return copy(p, s.data[off:]), nil
}

func (s *memSource) Size() int64 { return int64(len(s.data)) }

func (s *memSource) Close() error { s.closed = true; return nil }

func openBytes(t testing.TB, b []byte) *Reader {
	t.Helper()
	r, err := Open(t.Context(), &memSource{data: b})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// decodeAll decodes every block alone and gives the whole original.
func decodeAll(ctx context.Context, r *Reader) ([]byte, error) {
	var all []byte
	for n := range r.Index().Rows {
		c, err := r.Chunk(ctx, n)
		if err != nil {
			return nil, err
		}
		for b := range c.NumBlocks() {
			dst := make([]byte, c.Block(b).Len)
			if err := r.DecodeBlock(ctx, n, b, dst); err != nil {
				return nil, err
			}
			all = append(all, dst...)
		}
	}
	return all, nil
}

// rebuild gives the archive that stores idx behind the records of archive b.
func rebuild(t testing.TB, b []byte, idx *index.Index) []byte {
	t.Helper()
	old, err := index.ParseTrailer(b[len(b)-index.TrailerLen:], int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	x, err := idx.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	b = append(bytes.Clone(b[:old.IndexPos]), x...)
	return append(b, index.NewTrailer(old.IndexPos, x).Marshal()...)
}

// filesIn lists the folder dir.
func filesIn(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// testMethods are what tests run with that do not need every method.
var testMethods = []codec.Method{codec.Raw, codec.Auto}
