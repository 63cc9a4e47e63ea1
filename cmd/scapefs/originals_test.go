package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scapefs/scapefs/archive"
)

// TestReplaceComparesLast rewrites the original when its archive is done, and
// sets its mtime back: it stays.
func TestReplaceComparesLast(t *testing.T) {
	for name, change := range map[string]func(path string, info os.FileInfo) error{
		"other bytes": func(path string, info os.FileInfo) error {
			return errors.Join(os.WriteFile(path, bytes.Repeat([]byte("b"), int(info.Size())), 0o600),
				os.Chtimes(path, info.ModTime(), info.ModTime()))
		},
		"another file": func(path string, info os.FileInfo) error {
			return errors.Join(os.WriteFile(path+".new", bytes.Repeat([]byte("a"), int(info.Size())), 0o600),
				os.Chtimes(path+".new", info.ModTime(), info.ModTime()), os.Rename(path+".new", path))
		},
		"a link": func(path string, _ os.FileInfo) error {
			return errors.Join(os.Rename(path, path+".moved"), os.Symlink(path+".moved", path))
		},
	} {
		t.Run(name, func(t *testing.T) {
			src := filepath.Join(t.TempDir(), "x.bin")
			if err := os.WriteFile(src, bytes.Repeat([]byte("a"), 10000), 0o600); err != nil {
				t.Fatal(err)
			}
			res, err := archive.Pack(t.Context(), src+".scapef", src, archive.PackOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if err := change(src, res.Source); err != nil {
				t.Fatal(err)
			}
			p := &packer{stdout: io.Discard, stderr: io.Discard}
			if err := p.remove(t.Context(), step{src: src, dst: src + ".scapef", info: res.Source}, res.SHA256); err == nil {
				t.Error("removed")
			}
			if _, err := os.Lstat(src); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestNamesOfAnyBytes packs and unpacks a tree whose names have any bytes a
// name can have, and are as long as names can be.
func TestNamesOfAnyBytes(t *testing.T) {
	dir := t.TempDir()
	src := filepath.Join(dir, "src")
	names := []string{
		"new\nline.safetensors", "in\xff\xfevalid.safetensors", "\x01\x7f.safetensors", " .safetensors", "-o.safetensors",
		strings.Repeat("n", 255-len(archive.TensorSuffix)) + archive.TensorSuffix, strings.Repeat("m", 255), "..x", "\\ *?[",
	}
	if err := os.Mkdir(src, 0o700); err != nil {
		t.Fatal(err)
	}
	for i, name := range names {
		if err := os.WriteFile(filepath.Join(src, name), bytes.Repeat([]byte{byte(i)}, 100+i), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"pack", "-o", filepath.Join(dir, "packed"), src},
		{"unpack", "-o", filepath.Join(dir, "back"), filepath.Join(dir, "packed")},
	} {
		var stderr bytes.Buffer
		if code := run(t.Context(), append([]string{"scapefs"}, args...), io.Discard, &stderr); code != exitDone {
			t.Fatalf("%v: exit code %d: %s", args[0], code, &stderr)
		}
	}
	for i, name := range names {
		got, err := os.ReadFile(filepath.Join(dir, "back", name))
		if err != nil || !bytes.Equal(got, bytes.Repeat([]byte{byte(i)}, 100+i)) {
			t.Errorf("%q: %d bytes, %v", name, len(got), err)
		}
	}
	packed, err := os.ReadDir(filepath.Join(dir, "packed"))
	if err != nil || len(packed) != len(names) {
		t.Errorf("%d files packed: %v", len(packed), err)
	}
}

// TestHostileNames: what stands in a file does not reach a terminal that would
// obey it.
func TestHostileNames(t *testing.T) {
	dir := t.TempDir()
	src, dst := filepath.Join(dir, "\x1b[2Jx\n.bin"), filepath.Join(dir, "x.scape")
	header := `{"` + "\\u001b[2Jw" + `":{"dtype":"BF16","shape":[4],"data_offsets":[0,8]}}`
	model := append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header+"12345678"...)
	if err := os.WriteFile(src, model, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		code int
		args []string
	}{
		{exitDone, []string{"pack", "-o", dst, src}},
		{exitFailed, []string{"pack", "-o", dst, "originals_test.go"}}, // which tells whose archive stands there
		{exitDone, []string{"info", dst}},
		{exitDone, []string{"info", "--json", dst}},
		{exitDone, []string{"atlas", src}},
	} {
		var out bytes.Buffer
		if code := run(t.Context(), append([]string{"scapefs"}, c.args...), &out, &out); code != c.code {
			t.Errorf("%v: exit code %d: %s", c.args, code, &out)
		}
		shown := strings.ReplaceAll(out.String(), src, "") // the user's own words
		if strings.Contains(shown, "\x1b") {
			t.Errorf("%v: %q", c.args, shown)
		}
	}
}
