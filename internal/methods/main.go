// Command methods makes docs/methods.md: what every method reaches on the files of
// a folder, beside a table that was published for a reference, the peers of
// scripts/peers, and the entropies of package atlas. The result is kept as JSON, from
// which page and plots are written, so that a check can compare sizes, which are
// exact, and leave the speeds as they were measured. It knows nothing of how a method
// works.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var opt options
	flag.StringVar(&opt.corpus, "corpus", os.Getenv("SCAPEFS_CORPUS"), "measure the `FOLDER`'s safetensors files")
	flag.StringVar(&opt.peers, "peers", "scripts/peers/corpus.tsv", "what peers make of them")
	flag.StringVar(&opt.docs, "docs", "docs", "write to `FOLDER`")
	flag.BoolVar(&opt.check, "check", false, "write nothing: fail if sizes, page or plots are out of date")
	flag.Parse()
	if err := run(ctx, opt); err != nil {
		fmt.Fprintln(os.Stderr, "methods:", err)
		os.Exit(1)
	}
}

type options struct {
	corpus, peers, docs string
	check               bool
}

const resultFile = "methods.json"

var errOutOfDate = errors.New("out of date: run make methods")

func run(ctx context.Context, opt options) error {
	if opt.corpus == "" {
		return errors.New("no corpus: set SCAPEFS_CORPUS to a folder of safetensors files")
	}
	res, err := measure(ctx, opt)
	if err != nil {
		return err
	}
	if opt.check {
		if err := res.takeRest(opt, filepath.Join(opt.docs, resultFile)); err != nil {
			return err
		}
	}
	outputs, err := res.outputs()
	if err != nil {
		return err
	}
	if opt.check {
		return check(opt.docs, outputs)
	}
	for name, b := range outputs {
		if err := os.WriteFile(filepath.Join(opt.docs, name), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// takeRest completes r with the speeds of the result at path, and the sizes
// that a check leaves out. The error says which sizes of it are no longer those of r.
func (r *result) takeRest(opt options, path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var old result
	if err := json.Unmarshal(b, &old); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if len(r.Files) != len(old.Files) {
		return fmt.Errorf("%s is %w: it has %d files, not %d", path, errOutOfDate, len(old.Files), len(r.Files))
	}
	var wrong []error
	for i, f := range r.Files {
		wrong = append(wrong, f.differences(old.Files[i], opt)...)
	}
	if err := errors.Join(wrong...); err != nil {
		return fmt.Errorf("%s is %w:\n%w", path, errOutOfDate, err)
	}
	r.Speeds = old.Speeds
	return nil
}

// differences takes from old what opt leaves out of f, and says of each other
// size in either that is not the same in both.
func (f *fileResult) differences(old *fileResult, opt options) (list []error) {
	if f.Name != old.Name {
		return []error{fmt.Errorf("%s: there it is %s", f.Name, old.Name)}
	}
	for name, was := range old.Stored {
		if opt.leavesOut(name, f.Bytes) {
			f.Stored[name] = was
			if n, ok := old.Profile[name]; ok {
				f.Profile[name] = n
			}
		} else if _, ok := f.Stored[name]; !ok {
			list = append(list, fmt.Errorf("%s by %s: %d bytes there, not coded by it now", f.Name, name, was))
		}
	}
	for name, stored := range f.Stored {
		if was := old.Stored[name]; was != stored {
			list = append(list, fmt.Errorf("%s by %s: %d bytes, there %d", f.Name, name, stored, was))
		}
	}
	return list
}

// check compares outputs with the files in docs.
func check(docs string, outputs map[string][]byte) error {
	for name, want := range outputs {
		path := filepath.Join(docs, name)
		got, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if !bytes.Equal(got, want) {
			return fmt.Errorf("%s is %w", path, errOutOfDate)
		}
	}
	return nil
}
