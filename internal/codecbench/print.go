package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/scapefs/scapefs/codec"
)

func (r *result) print(out io.Writer) {
	fmt.Fprintf(out, "One core. Backends: %v. memcpy of 4 MiB: %.1f GB/s.\n\n", r.Backends, r.Memcpy)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "chunk of 4 MiB\tlevel\tbackend\tratio\tencode GB/s\tdecode GB/s\tof memcpy\t")
	for _, c := range r.Chunks {
		fmt.Fprintf(w, "%s\t%s\t%s\t%.4f\t%.2f\t%.2f\t%.3f\t\n", c.Input, c.Level, c.Backend, c.Ratio, c.Encode, c.Decode, c.Over)
	}
	fmt.Fprintln(w, "\t\t\t\t\t\t\t")
	fmt.Fprintln(w, "memory to memory\t\tMB\tratio\tencode GB/s\tdecode GB/s\tof memcpy\t")
	for _, m := range r.Memory {
		fmt.Fprintf(w, "%s\t%s\t%d\t%.4f\t%.2f\t%.2f\t%.3f\t\n", m.Input, m.Who, m.Bytes/1e6, m.Ratio, m.Encode, m.Decode, m.Over)
	}
	w.Flush()
	r.printFiles(out)
	fmt.Fprintln(out)
	w = tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "target\tat least\tgot\t\t")
	for _, t := range r.Targets {
		met := "met"
		if !(t.Got >= t.Want) {
			met = "MISSED"
		}
		fmt.Fprintf(w, "%s\t%.4g\t%.4g\t%s\t%s\n", t.What, t.Want, t.Got, met, t.Detail)
	}
	w.Flush()
}

func (r *result) printFiles(out io.Writer) {
	if len(r.Files) == 0 {
		return
	}
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "archive\t")
	for _, l := range codec.Levels() {
		fmt.Fprintf(w, "%v\t", l)
	}
	fmt.Fprintln(w, "best peer\t\t")
	for _, f := range r.Files {
		fmt.Fprintf(w, "%s\t", f.Name)
		for _, l := range codec.Levels() {
			fmt.Fprintf(w, "%.4f\t", f.ratio(l))
		}
		best, ratio := "", 0.0
		for _, p := range peersOf {
			if f.Peers[p] > ratio {
				best, ratio = p, f.Peers[p]
			}
		}
		fmt.Fprintf(w, "%.4f\t%s\t\n", ratio, best)
	}
	w.Flush()
}
