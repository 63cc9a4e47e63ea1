// Command scale makes a model of the shapes of Qwen2.5-7B (339 tensors, 15.2 GB
// in 4 files), packs it, mounts it, and reads it back through the mount with
// every byte compared, all under a limit of memory. It tells times, ratio, peak
// memory and sizes of indexes. The values are made up, but scaled by row and
// column as those of real models are.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"text/tabwriter"

	"github.com/dustin/go-humanize"
)

// config is what the command line says.
type config struct {
	program string
	dir     string // where the model goes, and is removed from
	shrink  int64
	memory  int64 // that packing or the mount may take, page cache included
	python  string
	level   string
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func run() error {
	c := config{python: filepath.Join(os.Getenv("SCAPEFS_VENV"), "bin/python")}
	flag.StringVar(&c.program, "program", "", "the scapefs to try; built if not given")
	flag.StringVar(&c.dir, "dir", os.TempDir(), "where there is room: for one shard and all archives, 14 GB")
	flag.Int64Var(&c.shrink, "shrink", 1, "divide the dimensions of all matrices by this, a power of 2 up to 32")
	flag.Int64Var(&c.memory, "memory", 1<<30, "bytes that packing, and then the mount, may take; needs root")
	flag.StringVar(&c.level, "level", "balanced", "of packing")
	asJSON := flag.Bool("json", false, "print one JSON object on stdout")
	flag.Parse()
	if flag.NArg() > 0 || c.shrink < 1 || c.shrink > 32 {
		return fmt.Errorf("wrong use; see -help")
	}
	dir, err := os.MkdirTemp(c.dir, "scapefs-scale-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	c.dir = dir
	if c.program == "" {
		c.program = filepath.Join(dir, "scapefs")
		build := exec.Command("go", "build", "-o", c.program, "github.com/scapefs/scapefs/cmd/scapefs")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build scapefs: %w\n%s", err, out)
		}
	}
	r, err := scale(c, os.Stderr)
	if err != nil {
		return err
	}
	if *asJSON {
		return json.NewEncoder(os.Stdout).Encode(r)
	}
	return r.print(os.Stdout)
}

// result is what came of it. Bytes were equal, or there is none.
type result struct {
	Tensors    int        `json:"tensors"`
	Bytes      int64      `json:"bytes"`
	Stored     int64      `json:"stored_bytes"`
	IndexBytes int64      `json:"index_bytes"`
	Limit      int64      `json:"memory_limit"` // 0 for none
	Pack       step       `json:"pack"`
	Verify     step       `json:"verify"`
	Read       step       `json:"read"`                  // through the mount, nothing done with it
	Compare    step       `json:"compare"`               // through the mount with what is made anew
	Python     *step      `json:"safetensors,omitempty"` // by the library of that name
	MountPeak  int64      `json:"mount_peak_rss_bytes"`
	Simulation simulation `json:"index_of_1_tb"`
}

// step is how long something took.
type step struct {
	Seconds float64 `json:"seconds"`
	Peak    int64   `json:"peak_bytes,omitempty"` // of its process
}

func (r *result) print(to io.Writer) error {
	t := tabwriter.NewWriter(to, 0, 8, 2, ' ', 0)
	size := func(n int64) string { return humanize.Bytes(uint64(n)) }
	row := func(name, format string, args ...any) {
		fmt.Fprintf(t, "%s\t"+format+"\n", append([]any{name}, args...)...)
	}
	timed := func(name string, s step) {
		peak := ""
		if s.Peak > 0 {
			peak = ", at most " + humanize.IBytes(uint64(s.Peak)) + " resident"
		}
		row(name, "%.1f s, %s/s%s", s.Seconds, size(int64(float64(r.Bytes)/s.Seconds)), peak)
	}
	row("model", "%d tensors, %s in %d files", r.Tensors, size(r.Bytes), shards)
	row("archives", "%s, ratio %.4f, %s of it indexes", size(r.Stored), float64(r.Bytes)/float64(r.Stored), size(r.IndexBytes))
	row("memory limit", "%s", humanize.IBytes(uint64(r.Limit)))
	timed("pack", r.Pack)
	timed("verify", r.Verify)
	timed("read", r.Read)
	timed("compare", r.Compare)
	if r.Python != nil {
		timed("safetensors", *r.Python)
	}
	row("mount", "at most %s resident", humanize.IBytes(uint64(r.MountPeak)))
	s := r.Simulation
	row("index of "+size(s.ModelBytes), "%d chunks, %s, read in %.1f ms, %.0f ns a search", s.Chunks, size(int64(s.IndexBytes)), s.ParseMS, s.FindNS)
	return t.Flush()
}
