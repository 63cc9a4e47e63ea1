package main

import (
	"fmt"
	"io"

	"github.com/scapefs/scapefs/codec"
	"github.com/scapefs/scapefs/internal/report"
)

func (r *result) print(out io.Writer) error {
	if err := r.printTables(out); err != nil {
		return err
	}
	fmt.Fprintln(out)
	t := report.NewTable(out, "target", "at least", "measured", "", "")
	for _, g := range r.Targets {
		met := "met"
		if !(g.Got >= g.Want) {
			met = "MISSED"
		}
		t.Row(g.What, fmt.Sprintf("%.4g", g.Want), fmt.Sprintf("%.4g", g.Got), met, g.Detail)
	}
	return t.Flush()
}

// printTables prints what was measured, as Markdown.
func (r *result) printTables(out io.Writer) error {
	fmt.Fprintf(out, "%v\n\nA chunk of 4 MiB, in the cache; memcpy of as much makes %.1f GB/s:\n\n", r.Conditions, r.Memcpy)
	t := report.NewTable(out, "bf16", "level", "backend", "ratio", "encode GB/s", "decode GB/s", "decode / memcpy")
	for _, c := range r.Chunks {
		t.Row(c.Input, c.Level, c.Backend, fmt.Sprintf("%.4f", c.Ratio), speed(c.Encode), speed(c.Decode), fmt.Sprintf("%.3f", c.Over))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprint(out, "\nFrom memory to memory, peers in the same run:\n\n")
	t = report.NewTable(out, "bf16", "MB", "", "backend", "ratio", "encode GB/s", "decode GB/s", "decode / memcpy")
	for _, m := range r.Memory {
		t.Row(m.Input, fmt.Sprintf("%.4g", float64(m.Bytes)/1e6), m.Who, m.Backend, fmt.Sprintf("%.4f", m.Ratio), speed(m.Encode), speed(m.Decode), fmt.Sprintf("%.3f", m.Over))
	}
	if err := t.Flush(); err != nil {
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
	t := report.NewTable(out, append(header, "best peer", "")...)
	for _, f := range r.Files {
		row := []string{f.Name}
		for _, l := range codec.Levels() {
			row = append(row, fmt.Sprintf("%.4f", f.ratio(l)))
		}
		best, ratio := f.bestPeer()
		t.Row(append(row, ratio, best)...)
	}
	return t.Flush()
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
