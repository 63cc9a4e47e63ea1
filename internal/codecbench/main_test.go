package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// It measures, and shows what it measured.
func TestMeasureAndShow(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	t.Chdir("../..")
	dir := t.TempDir()
	opt := options{megabytes: 1, timing: timing{rounds: 1, round: time.Millisecond}, json: filepath.Join(dir, "x.json")}
	opt.peers = filepath.Join(dir, "none")
	var stdout, stderr bytes.Buffer
	if err := do(opt, nil, &stdout, &stderr); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| gaussian | fast", "| scape small", "| stories260k.bf16", "| ratio fast, gaussian"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("no %q in\n%s", want, &stdout)
		}
	}
	if !strings.Contains(stderr.String(), "peers are not measured") {
		t.Errorf("of a missing program it says %q", &stderr)
	}
	shown := options{doc: filepath.Join(dir, "x.md"), plot: filepath.Join(dir, "x.svg")}
	if err := os.WriteFile(shown.doc, []byte("before\n<!-- codecbench: begin -->\nold\n<!-- codecbench: end -->\nafter\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := do(shown, []string{opt.json}, io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	checkDoc(t, shown.doc)
	checkXML(t, shown.plot)
}

func checkDoc(t *testing.T, path string) {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := string(b)
	if !strings.HasPrefix(s, "before\n<!-- codecbench: begin -->\n\nOne core") || !strings.HasSuffix(s, "|\n\n<!-- codecbench: end -->\nafter\n") || strings.Contains(s, "old") {
		t.Errorf("the document became\n%s", s)
	}
}

func checkXML(t *testing.T, path string) {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(bytes.NewReader(b)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{">fast<", ">balanced<", ">small<"} {
		if !bytes.Contains(b, []byte(want)) {
			t.Errorf("no %q in the plot", want)
		}
	}
}

func TestParsePeers(t *testing.T) {
	out := "#versions\tpython\t3.11.7\tzipnn\t0.5.4\tnumpy\t2\n#fallbacks\tnone\n" +
		"speed\tinput\tbytes\tpeer\tratio\tcompress MB/s\tdecompress MB/s\tdecompress/memcpy\n" +
		"speed\treal-bf16\t1000\tmemcpy\t1.0\t9000\t9000\t1\n" +
		"speed\treal-bf16\t1000\tzipnn\t1.5\t900\t1800\t0.2\n"
	list, versions, err := parsePeers([]byte(out))
	want := memorySpeed{Input: "real", Who: "zipnn", Bytes: 1000, Ratio: 1.5, Encode: 0.9, Decode: 1.8, Over: 0.2}
	if err != nil || len(list) != 1 || list[0] != want || versions != "python 3.11.7, zipnn 0.5.4" {
		t.Errorf("got %+v, %q, %v", list, versions, err)
	}
}

func TestLabelsStandApart(t *testing.T) {
	var points []*plotPoint
	for i := range 4 {
		points = append(points, &plotPoint{Class: "peer", Name: "peer", X: 300 + 40*float64(i%2), Y: 200})
	}
	points[3].X = plotWidth - plotRight
	placeLabels(points)
	if points[0].Label != nil {
		t.Error("two labels of one name side by side")
	}
	for i, p := range points {
		for _, q := range points[:i] {
			if p.Label != nil && q.Label != nil && *p.Label == *q.Label {
				t.Errorf("two labels at %v", p.Label)
			}
		}
	}
}
