package fs

import (
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestShownName(t *testing.T) {
	for _, tt := range []struct {
		stored  string
		regular bool
		want    string
	}{
		{"model.scape", true, "model.safetensors"},
		{"model.scape", false, "model.scape"}, // a folder or a link
		{"model.gguf.scapef", true, "model.gguf"},
		{"model.gguf.scapef", false, "model.gguf.scapef"},
		{"a.scape.scapef", true, "a.scape"},
		{"a.scapef.scapef", true, "a.scapef"},
		{"a.scapef.scape", true, "a.scapef.safetensors"},
		{".scape", true, ".safetensors"},
		{".scapef", true, ".scapef"},     // no name would be left
		{"..scapef", true, "..scapef"},   // shows as .
		{"...scapef", true, "...scapef"}, // shows as ..
		{"....scapef", true, "..."},
		{"model.safetensors", true, "model.safetensors"},
		{"model.SCAPE", true, "model.SCAPE"},
		{"scape", true, "scape"},
		{".model.scape.123.tmp", true, ".model.scape.123.tmp"},
	} {
		if got := shownName(tt.stored, tt.regular); got != tt.want {
			t.Errorf("shownName(%q, %v) = %q, want %q", tt.stored, tt.regular, got, tt.want)
		}
		if got := isArchive(tt.stored, tt.regular); got != (tt.stored != tt.want) {
			t.Errorf("isArchive(%q, %v) = %v", tt.stored, tt.regular, got)
		}
	}
}

// Looking a name up must find what listing the folder shows under it.
func TestStoredNamesInvertShownName(t *testing.T) {
	for _, stored := range []string{
		"a.scape", "a.scapef", "a", "a.safetensors", "a.safetensors.scapef", "a.scape.scapef",
		"a.scapef.scapef", ".scape", ".scapef", "..scapef", "...scapef", "....scapef",
	} {
		shown := shownName(stored, true)
		found := false
		for _, name := range storedNames(shown) {
			found = found || name == stored
		}
		if !found {
			t.Errorf("%q shows as %q, which may be stored as %q", stored, shown, storedNames(shown))
		}
	}
}

func TestShownEntries(t *testing.T) {
	file := func(name string) stored { return stored{name: name, mode: syscall.S_IFREG} }
	dir := func(name string) stored { return stored{name: name, mode: syscall.S_IFDIR} }
	link := func(name string) stored { return stored{name: name, mode: syscall.S_IFLNK} }
	for _, tt := range []struct {
		name    string
		entries []stored
		want    []stored
		clashes []clash
	}{
		{
			name:    "kinds",
			entries: []stored{file("a.scape"), link("b.scape"), dir("c.scape"), file("d.txt")},
			want:    []stored{file("a.safetensors"), link("b.scape"), dir("c.scape"), file("d.txt")},
		},
		{
			name:    "plain wins, coming last",
			entries: []stored{file("a.safetensors.scapef"), file("a.scape"), file("a.safetensors")},
			want:    []stored{file("a.safetensors")},
			clashes: []clash{
				{"a.safetensors", "a.scape", "a.safetensors.scapef"},
				{"a.safetensors", "a.safetensors", "a.scape"},
			},
		},
		{
			name:    "plain wins, coming first",
			entries: []stored{link("a.safetensors"), file("a.scape")},
			want:    []stored{link("a.safetensors")},
			clashes: []clash{{"a.safetensors", "a.safetensors", "a.scape"}},
		},
		{
			name:    "hidden names are free",
			entries: []stored{file("a.scape"), file("a.scape.scapef")},
			want:    []stored{file("a.safetensors"), file("a.scape")},
		},
		{name: "empty", want: []stored{}},
	} {
		got, clashes := shownEntries(tt.entries)
		if d := cmp.Diff(tt.want, got, cmp.AllowUnexported(stored{})); d != "" {
			t.Errorf("%s: %s", tt.name, d)
		}
		if d := cmp.Diff(tt.clashes, clashes, cmp.AllowUnexported(clash{})); d != "" {
			t.Errorf("%s: clashes: %s", tt.name, d)
		}
	}
}

// The winner in a listing is the one that a lookup finds first.
func TestClashWinnerIsFirstStoredName(t *testing.T) {
	names := storedNames("a.safetensors")
	for i, first := range names {
		for _, second := range names[i+1:] {
			entries := []stored{{name: second, mode: syscall.S_IFREG}, {name: first, mode: syscall.S_IFREG}}
			_, clashes := shownEntries(entries)
			if len(clashes) != 1 || clashes[0].winner != first {
				t.Errorf("%q and %q: %v", first, second, clashes)
			}
		}
	}
}
