package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/scapefs/scapefs/codec"
)

func (r *result) print(out io.Writer) error {
	if err := r.printTables(out); err != nil {
		return err
	}
	fmt.Fprintln(out)
	t := newTable(out, "target", "at least", "measured", "", "")
	for _, g := range r.Targets {
		met := "met"
		if !(g.Got >= g.Want) {
			met = "MISSED"
		}
		t.row(g.What, fmt.Sprintf("%.4g", g.Want), fmt.Sprintf("%.4g", g.Got), met, g.Detail)
	}
	return t.w.Flush()
}

// printTables prints what was measured, as Markdown.
func (r *result) printTables(out io.Writer) error {
	fmt.Fprintf(out, "%v\n\nA chunk of 4 MiB, in the cache; memcpy of as much makes %.1f GB/s:\n\n", r.Conditions, r.Memcpy)
	t := newTable(out, "bf16", "level", "backend", "ratio", "encode GB/s", "decode GB/s", "decode / memcpy")
	for _, c := range r.Chunks {
		t.row(c.Input, c.Level, c.Backend, fmt.Sprintf("%.4f", c.Ratio), speed(c.Encode), speed(c.Decode), fmt.Sprintf("%.3f", c.Over))
	}
	if err := t.w.Flush(); err != nil {
		return err
	}
	fmt.Fprint(out, "\nFrom memory to memory, peers in the same run:\n\n")
	t = newTable(out, "bf16", "MB", "", "backend", "ratio", "encode GB/s", "decode GB/s", "decode / memcpy")
	for _, m := range r.Memory {
		t.row(m.Input, fmt.Sprintf("%.4g", float64(m.Bytes)/1e6), m.Who, m.Backend, fmt.Sprintf("%.4f", m.Ratio), speed(m.Encode), speed(m.Decode), fmt.Sprintf("%.3f", m.Over))
	}
	if err := t.w.Flush(); err != nil {
		return err
	}
	return r.printFiles(out)
}

// printFiles prints the ratios of whole files, each beside that of its best
// peer.
func (r *result) printFiles(out io.Writer) error {
	fmt.Fprint(out, "\nRatios of whole archives:\n\n")
	header := []string{"file"}
	for _, l := range codec.Levels() {
		header = append(header, l.String())
	}
	t := newTable(out, append(header, "best peer", "")...)
	for _, f := range r.Files {
		row := []string{f.Name}
		for _, l := range codec.Levels() {
			row = append(row, fmt.Sprintf("%.4f", f.ratio(l)))
		}
		best, ratio := f.bestPeer()
		t.row(append(row, ratio, best)...)
	}
	return t.w.Flush()
}

func (f *fileRatio) bestPeer() (name, ratio string) {
	best := 0.0
	for _, p := range peersOf {
		if v := f.Peers[p]; v > best {
			name, best, ratio = p, v, fmt.Sprintf("%.4f", v)
		}
	}
	return name, ratio
}

func speed(gbps float64) string { return fmt.Sprintf("%.3g", gbps) }

// table is one of Markdown, its columns aligned.
type table struct{ w *tabwriter.Writer }

func newTable(out io.Writer, columns ...string) table {
	t := table{tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)}
	t.row(columns...)
	t.row(strings.Split(strings.Repeat("---|", len(columns)-1)+"---", "|")...)
	return t
}

func (t table) row(cells ...string) {
	fmt.Fprintf(t.w, "| %s\t|\n", strings.Join(cells, "\t| "))
}
