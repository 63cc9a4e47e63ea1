package archive

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// TestReliabilityNamesTests: every test that docs/reliability.md names exists,
// in the folder that it names.
func TestReliabilityNamesTests(t *testing.T) {
	doc, err := os.ReadFile("../docs/reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`([a-z/]+)\\.((?:Test|Fuzz)\\w+)`").FindAllSubmatch(doc, -1)
	if len(named) < 30 {
		t.Fatalf("%d tests are named", len(named))
	}
	for _, n := range named {
		folder, test := string(n[1]), string(n[2])
		if !slices.Contains(testsIn(t, folder), test) {
			t.Errorf("there is no %s in %s", test, folder)
		}
	}
	scripts := regexp.MustCompile("`(\\w+\\.txtar)`").FindAllSubmatch(doc, -1)
	for _, s := range scripts {
		if _, err := os.Stat(filepath.Join("../cmd/scapefs/testdata/script", string(s[1]))); err != nil {
			t.Error(err)
		}
	}
	for _, row := range bytes.Split(doc, []byte("\n")) {
		if bytes.HasPrefix(row, []byte("| ")) && !bytes.Contains(row, []byte("| test")) && !bytes.Contains(row, []byte("`")) {
			t.Errorf("a promise without a test: %s", row)
		}
	}
}

var testDecl = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)

func testsIn(t *testing.T, folder string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range testDecl.FindAllSubmatch(b, -1) {
			names = append(names, string(m[1]))
		}
	}
	return names
}
