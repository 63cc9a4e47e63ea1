package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"time"

	"github.com/scapefs/scapefs/internal/report"
	"golang.org/x/sys/unix"
)

// machine is where a result came to be.
type machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Memory int64  `json:"memory_bytes"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
	Disk   string `json:"disk_filesystem"`
	Day    string `json:"day"`
}

var modelName = regexp.MustCompile(`(?m)^model name\s*: (.*)$`)

func thisMachine(dir string) machine {
	m := machine{CPU: "unknown processor", Cores: runtime.NumCPU(), Go: runtime.Version(), Day: time.Now().UTC().Format(time.DateOnly)}
	b, _ := os.ReadFile("/proc/cpuinfo")
	if name := modelName.FindSubmatch(b); name != nil {
		m.CPU = string(name[1])
	}
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		m.Memory = int64(info.Totalram) * int64(info.Unit)
	}
	var uts unix.Utsname
	if unix.Uname(&uts) == nil {
		m.Kernel = unix.ByteSliceToString(uts.Release[:])
	}
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) == nil {
		m.Disk = fmt.Sprintf("file system of type %#x", st.Type)
		if st.Type == unix.EXT4_SUPER_MAGIC {
			m.Disk = "ext4"
		}
	}
	return m
}

// print prints tables in Markdown: the targets, then all that was measured.
func (r *result) print(out io.Writer) error {
	m := r.Machine
	fmt.Fprintf(out, "%d cores (%s), %.0f GB of memory, Linux %s, %s, %s, %s; %s, a run of %.0f s.\n\n",
		m.Cores, m.CPU, float64(m.Memory)/1e9, m.Kernel, m.Disk, m.Go, m.Day, r.rounds(), r.Seconds)
	fmt.Fprintf(out, "The model: %.0f MB in %d shards, normal weights in bf16 with a scale for each row; archives %.3f times smaller, mounted with a cache of %d MiB. One block is decoded in %.0f µs on one core.\n",
		float64(r.Model.Bytes)/1e6, shards, r.Model.Ratio, r.Model.Cache>>20, r.BlockUS)
	if r.Model.Squashfs > 0 {
		fmt.Fprintf(out, "The squashfs image takes %.0f MB (zstd).", float64(r.Model.Squashfs)/1e6)
	}
	if r.Model.Erofs > 0 {
		fmt.Fprintf(out, " The erofs image takes %.0f MB (%s).", float64(r.Model.Erofs)/1e6, r.Model.ErofsBy)
	}
	fmt.Fprint(out, "\n\n### Targets\n\n")
	if err := r.printTargets(out); err != nil {
		return err
	}
	for _, w := range workloads {
		if err := r.printWorkload(out, w); err != nil {
			return err
		}
	}
	if g := r.Big; g != nil {
		fmt.Fprintf(out, "\n### 32 readers of one file of %.1f GB in a container of %d MiB\n\n"+
			"%.2f GB/s; a read of 1 MiB took %.0f µs (p50), %.0f (p99), %.0f at most. The daemon took %d MiB, %d of them cache; %d processes were killed.\n",
			float64(g.Bytes)/1e9, g.Limit>>20, g.speed(), g.P50, g.P99, g.Max, g.Peak>>20, g.Cache>>20, g.Kills)
	}
	for _, note := range r.NotThere {
		fmt.Fprintf(out, "\nNot measured: %s.\n", note)
	}
	return nil
}

// rounds says how many there were.
func (r *result) rounds() string {
	n := 0
	for _, c := range r.Cells {
		n = max(n, len(c.Rounds))
	}
	if n == 1 {
		return "one round"
	}
	return fmt.Sprintf("%d rounds", n)
}

func (r *result) printTargets(out io.Writer) error {
	t := report.NewTable(out, "target", "bound", "measured", "")
	for _, g := range r.Targets {
		bound, verdict := "≥", "met"
		if g.AtMost {
			bound = "≤"
		}
		if !g.met() {
			verdict = "**missed**"
		}
		t.Row(g.What, fmt.Sprintf("%s %.4g", bound, g.Want), fmt.Sprintf("%.3g", g.Got), verdict)
	}
	return t.Flush()
}

func (r *result) printWorkload(out io.Writer, w workload) error {
	if !slices.ContainsFunc(r.Cells, func(c *cell) bool { return c.Workload == w.Name }) {
		return nil
	}
	fmt.Fprintf(out, "\n### %s: %s\n\n", w.Name, w.What)
	t := report.NewTable(out, "", "GB/s", "from–to", "ops/s", "p50 µs", "p99 µs", "max µs", "daemon CPU s/GB", "reader CPU s/GB", "kernel CPU s/GB", "peak MiB")
	for _, s := range w.subjects {
		if c := r.find(w.Name, s.name); c != nil {
			t.Row(c.cells()...)
		}
	}
	return t.Flush()
}

// cells are the columns of a cell's row: medians over the rounds.
func (c *cell) cells() []string {
	get := func(format string, of func(measurement) float64) string {
		v := c.median(of)
		if v == 0 {
			return ""
		}
		return fmt.Sprintf(format, v)
	}
	gb := func(of func(measurement) float64) func(measurement) float64 {
		return func(m measurement) float64 {
			if m.Bytes < 100e6 {
				return 0 // too few to tell
			}
			return of(m) / (float64(m.Bytes) / 1e9)
		}
	}
	spread := ""
	if speeds := c.all(speedOf); slices.Max(speeds) > 0 {
		spread = fmt.Sprintf("%.3g–%.3g", slices.Min(speeds), slices.Max(speeds))
	}
	return []string{
		c.Subject,
		get("%.3g", speedOf),
		spread,
		get("%.0f", func(m measurement) float64 { return float64(m.Ops) / m.Seconds }),
		get("%.0f", func(m measurement) float64 { return m.P50 }),
		get("%.0f", func(m measurement) float64 { return m.P99 }),
		get("%.0f", func(m measurement) float64 { return m.Max }),
		get("%.2f", gb(func(m measurement) float64 { return m.Daemon })),
		get("%.2f", gb(func(m measurement) float64 { return m.Reader })),
		get("%.2f", gb(func(m measurement) float64 { return m.Kernel })),
		get("%.0f", func(m measurement) float64 { return float64(m.Peak) / (1 << 20) }),
	}
}

// docName is what the part of the document is called that show rewrites.
const docName = "bench"

// show puts a result where people read it.
func show(opt options, path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var res result
	if err := json.Unmarshal(b, &res); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if opt.doc != "" {
		if err := report.Rewrite(opt.doc, docName, res.print); err != nil {
			return err
		}
	}
	if opt.plots == "" {
		return nil
	}
	for name, svg := range res.plots() {
		if err := os.WriteFile(filepath.Join(opt.plots, name), svg, 0o644); err != nil {
			return err
		}
	}
	return nil
}
