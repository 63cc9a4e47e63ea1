package integration

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// beyondCache is what a mount may need besides its cache.
const beyondCache = 64 << 20

// The memory of a mount stays within its cache and a fixed sum, whatever is
// read in whatever way.
func TestPeakMemory(t *testing.T) {
	const cache = 64 << 20
	packed := t.TempDir()
	path := filepath.Join(packed, "m.safetensors")
	content := tiledModel(t, 256<<20)
	write(t, path, content)
	must(t, "pack", "--replace", path)
	point := mount(t, packed, "--cache-size", fmt.Sprint(cache))
	daemon := daemonOf(t, point)
	path = filepath.Join(point, "m.safetensors")

	want := sha256.Sum256(content)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			switch i % 4 {
			case 0:
				if got, err := hashByRead(path); err != nil || got != want {
					t.Errorf("read: %v, equal %v", err, got == want)
				}
			case 1:
				if got, err := hashByMmap(path); err != nil || got != want {
					t.Errorf("mmap: %v, equal %v", err, got == want)
				}
			default:
				if err := randomReads(path, content, 300); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	peak := peakMemory(t, daemon)
	t.Logf("cache %d MiB, peak memory of the mount %d MiB", cache>>20, peak>>20)
	if peak > cache+beyondCache {
		t.Errorf("the mount took %d MiB, may take %d", peak>>20, (cache+beyondCache)>>20)
	}
}

// peakMemory is the most resident memory that a process has had.
func peakMemory(t *testing.T, pid int) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kib); n == 1 {
			return kib << 10
		}
	}
	t.Fatal("no VmHWM")
	return 0
}

// tiledModel makes a valid safetensors file of about size bytes: the data of a
// real bf16 model, over and over, as tensors of 8 MiB.
func tiledModel(t *testing.T, size int) []byte {
	t.Helper()
	real, err := os.ReadFile(small(t))
	if err != nil {
		t.Fatal(err)
	}
	data := real[8+binary.LittleEndian.Uint64(real):]
	const tensor = 8 << 20
	header := map[string]any{}
	for i := range size / tensor {
		header[fmt.Sprintf("layers.%d.weight", i)] = map[string]any{
			"dtype": "BF16", "shape": []int{tensor / 2}, "data_offsets": []int{i * tensor, (i + 1) * tensor}}
	}
	b, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	out := append(binary.LittleEndian.AppendUint64(make([]byte, 0, size+len(b)+8), uint64(len(b))), b...)
	for end := len(out) + size/tensor*tensor; len(out) < end; {
		out = append(out, data[:min(len(data), end-len(out))]...)
	}
	return out
}
