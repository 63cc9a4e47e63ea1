package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
)

const (
	docBegin = "<!-- codecbench: begin -->\n"
	docEnd   = "<!-- codecbench: end -->"
)

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
		if err := res.writeDoc(opt.doc); err != nil {
			return err
		}
	}
	if opt.plot == "" {
		return nil
	}
	svg, err := res.plot()
	if err != nil {
		return err
	}
	return os.WriteFile(opt.plot, svg, 0o644)
}

// writeDoc replaces what stands between the markers of a document.
func (r *result) writeDoc(path string) error {
	doc, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, ok := bytes.Cut(doc, []byte(docBegin))
	_, after, ends := bytes.Cut(rest, []byte(docEnd))
	if !ok || !ends {
		return fmt.Errorf("%s: no place between %q and %q", path, docBegin, docEnd)
	}
	var out bytes.Buffer
	out.Write(before)
	out.WriteString(docBegin + "\n")
	if err := r.printTables(&out); err != nil {
		return err
	}
	out.WriteString("\n" + docEnd)
	out.Write(after)
	return os.WriteFile(path, out.Bytes(), 0o644)
}
