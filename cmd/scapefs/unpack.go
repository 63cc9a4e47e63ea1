package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v2"

	"github.com/scapefs/scapefs/archive"
)

func unpackCommand() *cli.Command {
	return &cli.Command{
		Name:      "unpack",
		Usage:     "restore originals from archives, byte for byte",
		ArgsUsage: "SRC...",
		Description: "X.scape becomes X.safetensors, N.scapef becomes N, beside the archive or in OUT,\n" +
			"with the original's mtime and mode. A folder becomes the same tree under OUT.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write to `OUT`, a file or a folder"},
			jobsFlag(),
			&cli.BoolFlag{Name: "force", Usage: "overwrite files that exist"},
		},
		Action: unpack,
	}
}

func unpack(c *cli.Context) error {
	if err := wantArgs(c, 1, -1); err != nil {
		return err
	}
	jobs, err := jobs(c)
	if err != nil {
		return err
	}
	steps, err := planSteps(c.Args().Slice(), c.String("output"), rule{
		convert:    archive.OriginalName,
		convertAny: archive.OriginalName,
		shown:      func(name string) string { return name },
		inPlace:    true,
		stderr:     c.App.ErrWriter,
	})
	if err != nil {
		return err
	}
	d := &doer{overwrite: c.Bool("force"), stdout: c.App.Writer, stderr: c.App.ErrWriter}
	d.convert = func(ctx context.Context, s step) error {
		return d.unpack(ctx, s, archive.UnpackOptions{Jobs: jobs, Overwrite: d.overwrite})
	}
	return d.do(c.Context, steps)
}

func (d *doer) unpack(ctx context.Context, s step, opt archive.UnpackOptions) error {
	r, err := openArchive(ctx, s.src)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := d.unpackOne(ctx, s, r, opt); errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists: remove it, or overwrite it with --force", s.dst)
	} else if err != nil {
		return err
	}
	fmt.Fprintf(d.stdout, "%s: %s\n", s.dst, humanize.IBytes(uint64(r.Size())))
	return nil
}

func (d *doer) unpackOne(ctx context.Context, s step, r *archive.Reader, opt archive.UnpackOptions) error {
	b := newBar(d.stderr, filepath.Base(s.dst), r.Size())
	defer b.end()
	opt.Progress = b.set
	return archive.Unpack(ctx, s.dst, r, opt)
}

// openArchive opens the archive at path. Errors name it.
func openArchive(ctx context.Context, path string) (*archive.Reader, error) {
	src, err := archive.OpenFile(path)
	if err != nil {
		return nil, err
	}
	r, err := archive.Open(ctx, src)
	if err != nil {
		return nil, err
	}
	if err := r.CheckFileHeader(ctx); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}
