package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/scapefs/scapefs/internal/report"
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
		if err := report.Rewrite(opt.doc, "codecbench", res.printTables); err != nil {
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
