// Package report has what the programs that measure share: tables in Markdown, the
// part of a document that a program rewrites, and the ratios of peers. It knows
// nothing of what is measured.
package report

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
)

// Table is one of Markdown, its columns aligned.
type Table struct{ w *tabwriter.Writer }

// NewTable begins a table on out.
func NewTable(out io.Writer, columns ...string) Table {
	t := Table{tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)}
	t.Row(columns...)
	t.Row(strings.Split(strings.Repeat("---|", len(columns)-1)+"---", "|")...)
	return t
}

// Row adds a row.
func (t Table) Row(cells ...string) {
	fmt.Fprintf(t.w, "| %s\t|\n", strings.Join(cells, "\t| "))
}

// Flush writes the table.
func (t Table) Flush() error { return t.w.Flush() }

// Rewrite replaces what stands in the document at path between the comments
// "NAME: begin" and "NAME: end" by what write writes.
func Rewrite(path, name string, write func(io.Writer) error) error {
	begin, end := "<!-- "+name+": begin -->\n", "<!-- "+name+": end -->"
	doc, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, ok := bytes.Cut(doc, []byte(begin))
	_, after, ends := bytes.Cut(rest, []byte(end))
	if !ok || !ends {
		return fmt.Errorf("%s: no place between %q and %q", path, begin, end)
	}
	var out bytes.Buffer
	out.Write(before)
	out.WriteString(begin + "\n")
	if err := write(&out); err != nil {
		return err
	}
	out.WriteString("\n" + end)
	out.Write(after)
	return os.WriteFile(path, out.Bytes(), 0o644)
}

// ReadPeers reads the ratios of the peers: a row a file, with columns for its
// model and dtype and then ratios, by "model.dtype".
func ReadPeers(path string) (map[string]map[string]float64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma = '\t'
	rows, err := r.ReadAll()
	if err != nil || len(rows) == 0 {
		return nil, fmt.Errorf("%s: no table: %w", path, err)
	}
	peers := map[string]map[string]float64{}
	for _, row := range rows[1:] {
		ratios := map[string]float64{}
		for i, column := range rows[0] {
			if v, err := strconv.ParseFloat(row[i], 64); err == nil && column != "bytes" {
				ratios[column] = v
			}
		}
		peers[row[1]+"."+row[2]] = ratios
	}
	return peers, nil
}
