package fs

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/scapefs/scapefs/archive"
	"github.com/scapefs/scapefs/codec"
)

// alikeTensors gives a safetensors file of so many bf16 matrices of 2 MiB, each
// of which has half of its columns from the first one.
func alikeTensors(count int) []byte {
	const rows, columns, size = 1024, 1024, 2 << 20
	var header bytes.Buffer
	var data []byte
	first := weights(size, 0)
	for k := range count {
		fmt.Fprintf(&header, `%s"t%d":{"dtype":"BF16","shape":[%d,%d],"data_offsets":[%d,%d]}`, ",{"[1-min(k, 1):][:1], k, rows, columns, k*size, (k+1)*size)
		own := weights(size, uint64(k))
		for at := 0; at < size; at += 4 {
			copy(own[at:at+2], first[at:])
		}
		data = append(data, own...)
	}
	header.WriteByte('}')
	for header.Len()%8 != 0 {
		header.WriteByte(' ')
	}
	return slices.Concat(binary.LittleEndian.AppendUint64(nil, uint64(header.Len())), header.Bytes(), data)
}

// What refers to another chunk is read as any other bytes are: from end to end,
// ahead of the reader, and at random.
func TestReferencesThroughTheMount(t *testing.T) {
	r := newRig(t)
	data := alikeTensors(6)
	original := r.add("model.scape", data, archive.PackOptions{Method: codec.Auto})
	reader, _, err := openArchive(context.Background(), filepath.Join(r.source, "model.scape"))
	if err != nil {
		t.Fatal(err)
	}
	row := reader.Index().Rows[1]
	for n := 2; n <= 6; n++ {
		if c, err := reader.Chunk(t.Context(), n); err != nil {
			t.Fatal(err)
		} else if ref, ok := c.Reference(0); !ok || ref.Row != 1 {
			t.Fatalf("chunk %d refers to nothing", n)
		}
	}
	reader.Close()
	r.mount(Options{CacheSize: MinCacheSize})
	shown := filepath.Join(r.point, "model.safetensors")
	script := "for i in 2900 7 1500 2300 3; do dd if=%s bs=4k count=3 skip=$i iflag=direct status=none; done | sha256sum"
	if got, want := shell(t, fmt.Sprintf(script, shown)), shell(t, fmt.Sprintf(strings.ReplaceAll(script, " iflag=direct", ""), original)); got != want {
		t.Errorf("random reads: %s, want %s", got, want)
	}
	child(t, "compare", shown, original)
	if log := r.log.String(); log != "" {
		t.Errorf("logged: %s", log)
	}

	// Damage in the first tensor is damage in all.
	r.add("bad.scape", data, archive.PackOptions{Method: codec.Auto})
	flip(t, filepath.Join(r.source, "bad.scape"), row.PayloadPos()+100)
	bad := filepath.Join(r.point, "bad.safetensors")
	for k, want := range []bool{true, false} { // the last tensor's first block, and its last
		out := shell(t, fmt.Sprintf("dd if=%s of=/dev/null bs=4k count=1 skip=%d iflag=direct", bad, 5*512+1+k*500))
		if failed := strings.Contains(out, "Input/output error"); failed != want {
			t.Errorf("read %d: %s", k, out)
		}
	}
}
