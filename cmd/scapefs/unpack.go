package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v2"

	"github.com/scapefs/scapefs/archive"
	"github.com/scapefs/scapefs/index"
	"github.com/scapefs/scapefs/internal/disk"
)

func unpackCommand() *cli.Command {
	return &cli.Command{
		Name:      "unpack",
		Usage:     "restore originals from archives, byte for byte",
		ArgsUsage: "SRC...",
		Description: "X.scape becomes X.safetensors, N.scapef becomes N, beside the archive or in OUT,\n" +
			"with the original's mtime and mode. A folder becomes the same tree under OUT.\n" +
			"Run again, it goes on where it stopped.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write to `OUT`, a file or a folder"},
			jobsFlag(oneEach),
			&cli.BoolFlag{Name: "force", Usage: "overwrite files that exist"},
			&cli.BoolFlag{Name: "follow-symlinks", Usage: "take what links in a folder point to; without it they stay links"},
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
		follow:     c.Bool("follow-symlinks"),
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
	if !opt.Overwrite {
		if done, err := isUnpacked(ctx, s.dst, r.Index().Meta); err != nil {
			return err
		} else if done {
			fmt.Fprintf(d.stdout, "%s: up to date\n", s.dst)
			return nil
		}
	}
	if err := d.unpackOne(ctx, s, r, opt); errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists: remove it, or overwrite it with --force", s.dst)
	} else if err != nil {
		return err
	}
	fmt.Fprintf(d.stdout, "%s: %s\n", s.dst, humanize.IBytes(uint64(r.Size())))
	return nil
}

// isUnpacked reports whether the file at path is the original that meta tells
// of, as an earlier run made it. It is on disk then.
func isUnpacked(ctx context.Context, path string, meta index.Meta) (bool, error) {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() != meta.Size || !info.ModTime().Equal(meta.MTime) {
		return false, nil
	}
	if err := disk.Flush(path); err != nil {
		return false, err
	}
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	sum, err := hashFile(ctx, f)
	return err == nil && sum == meta.SHA256, err
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
