package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/dustin/go-humanize"
)

func (r benchResult) print(out io.Writer) error {
	for _, f := range r.Files {
		part := ""
		if f.Measured < f.Size {
			part = fmt.Sprintf(", of which the first %s are measured", humanize.IBytes(uint64(f.Measured)))
		}
		fmt.Fprintf(out, "%s: %s%s\n", f.Path, humanize.IBytes(uint64(f.Size)), part)
	}
	fmt.Fprintf(out, "GB/s of original bytes from memory to memory, on one core and on all %d; backend %s\n\n", r.Cores, r.Backend)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "method\tratio\tencode\tall\tdecode\tall\tof memcpy\tall\t\n")
	for _, m := range r.Methods {
		fmt.Fprintf(w, "%s\t%.4f\t%s\t%s\t%s\t%s\t%.1f %%\t%.1f %%\t\n", m.name(), m.Ratio,
			gbps(m.Encode), gbps(m.EncodeAll), gbps(m.Decode), gbps(m.DecodeAll), 100*m.Over, 100*m.OverAll)
	}
	fmt.Fprintf(w, "memcpy\t\t\t\t%s\t%s\t\t\t\n", gbps(r.Memcpy), gbps(r.MemcpyAll))
	fmt.Fprintf(w, "zstd -%d\t%.4f\t%s\t\t%s\t\t%.1f %%\t\t\n", r.Zstd.Level, r.Zstd.Ratio,
		gbps(r.Zstd.Encode), gbps(r.Zstd.Decode), 100*r.Zstd.Decode/r.Memcpy)
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\nzstd -%d is %s.\n", r.Zstd.Level, r.Zstd.Program)
	return err
}

func (m benchMethod) name() string {
	if m.Level != "" {
		return m.Method + ", " + m.Level
	}
	if m.Profile > 0 {
		return fmt.Sprintf("%s, profile of %d bytes", m.Method, m.Profile)
	}
	return m.Method
}

func gbps(mbps float64) string { return fmt.Sprintf("%.3g", mbps/1e3) }
