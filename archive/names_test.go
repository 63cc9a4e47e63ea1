package archive

import "testing"

func TestNames(t *testing.T) {
	for name, want := range map[string]string{
		"m.safetensors":     "m.scape",
		"m.gguf":            "m.gguf.scapef",
		"m.scape":           "m.scape.scapef",
		"m.safetensors.bak": "m.safetensors.bak.scapef",
		".safetensors":      ".scape",
	} {
		got := ArchiveName(name)
		if back, ok := OriginalName(got); got != want || !ok || back != name {
			t.Errorf("ArchiveName(%q) = %q, want %q; back: %q, %v", name, got, want, back, ok)
		}
	}
	for _, name := range []string{"m", "m.safetensors", ".scapef", "..scapef", "...scapef", "scape"} {
		if got, ok := OriginalName(name); ok {
			t.Errorf("OriginalName(%q) = %q, want none", name, got)
		}
	}
}
