package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/scapefs/scapefs/atlas"
	"github.com/scapefs/scapefs/codec"
)

func atlasCommand() *cli.Command {
	return &cli.Command{
		Name:      "atlas",
		Usage:     "explain what can be saved on weights, and what each method saves",
		ArgsUsage: "FILE...",
		Description: "Entropies in bits a weight, for every tensor and in total; the ratio that coding byte by\n" +
			"byte cannot exceed; the ratio of each method; where the bits beyond the entropy go.\n" +
			"--methods full codes the whole file by every method, sample some 64 MiB of a larger one.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "json", Usage: "print one JSON object"},
			&cli.BoolFlag{Name: "csv", Usage: "print comma-separated values, a row a tensor"},
			&cli.StringFlag{Name: "html", Usage: "write a page with plots to `OUT`, which needs nothing beside it"},
			&cli.BoolFlag{Name: "oracle", Usage: "compare the best method for every tensor with the best for all"},
			&cli.StringFlag{Name: "methods", Value: "sample", Usage: "try the methods on `full` files, a sample, or none"},
			&cli.StringFlag{Name: "profile", Usage: "try the methods that need a profile, too, with `FILE`"},
		},
		Action: runAtlas,
	}
}

func runAtlas(c *cli.Context) error {
	if err := wantArgs(c, 1, -1); err != nil {
		return err
	}
	if c.Bool("json") && c.Bool("csv") {
		return usagef("atlas: give --json or --csv, not both")
	}
	code, err := methodsMode(c)
	if err != nil {
		return err
	}
	var profile *codec.Profile
	if path := c.String("profile"); path != "" {
		if profile, err = readProfile(path); err != nil {
			return err
		}
	}
	var files []*atlas.File
	for _, path := range c.Args().Slice() {
		f, err := atlasOf(c.Context, c.App.ErrWriter, path, profile, code)
		if err != nil {
			return err
		}
		if c.Bool("oracle") {
			if err := f.Route(c.Context, atlas.Coders(profile)); err != nil {
				return err
			}
		}
		files = append(files, f)
	}
	if path := c.String("html"); path != "" {
		if err := writePage(path, files); err != nil {
			return err
		}
	}
	return showAtlas(c, files)
}

// writePage writes the report to path, where it may replace an earlier one.
func writePage(path string, files []*atlas.File) error {
	var page bytes.Buffer
	if err := atlas.WriteHTML(&page, files); err != nil {
		return err
	}
	return os.WriteFile(path, page.Bytes(), 0o644)
}

// codeBy codes a file, or a sample of it.
type codeBy func(f *atlas.File, ctx context.Context, c atlas.Coder) error

func methodsMode(c *cli.Context) (codeBy, error) {
	switch mode := c.String("methods"); mode {
	case "full":
		return (*atlas.File).Code, nil
	case "sample":
		return (*atlas.File).Sample, nil
	case "none":
		return nil, nil
	default:
		return nil, usagef("--methods %s: give full, sample or none", mode)
	}
}

func atlasOf(ctx context.Context, stderr io.Writer, path string, profile *codec.Profile, code codeBy) (*atlas.File, error) {
	f, err := atlas.Analyse(ctx, path)
	if err != nil || code == nil {
		return f, err
	}
	coders := atlas.Coders(profile)
	b := newBar(stderr, path, int64(len(coders)))
	defer b.end()
	for i, c := range coders {
		if err := code(f, ctx, c); err != nil {
			return nil, err
		}
		b.set(int64(i+1), int64(len(coders)))
	}
	return f, nil
}

func showAtlas(c *cli.Context, files []*atlas.File) error {
	out := c.App.Writer
	switch {
	case c.Bool("json"):
		return writeJSON(out, map[string]any{"files": files})
	case c.Bool("csv"):
		return atlas.WriteCSV(out, files)
	}
	for i, f := range files {
		if i > 0 {
			fmt.Fprintln(out)
		}
		if err := printAtlas(out, f); err != nil {
			return err
		}
	}
	return nil
}
