//go:build poison

package cache

import (
	"bytes"
	"testing"

	"github.com/scapefs/scapefs/internal/poison"
)

// TestPoison keeps bytes beyond Release: once the block is freed they must be
// recognizably wrong.
func TestPoison(t *testing.T) {
	c := New(mib)
	defer c.Close()
	r := get(t, c, key(1), 100)
	stale := r.Bytes()
	r.Release()
	c.DropFile(1)
	if want := bytes.Repeat([]byte{poison.Byte}, 100); !bytes.Equal(stale, want) {
		t.Errorf("freed block: % x", stale)
	}
}
