package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v2"

	"github.com/scapefs/scapefs/archive"
)

func verifyCommand() *cli.Command {
	return &cli.Command{
		Name:        "verify",
		Usage:       "decode archives and check every checksum",
		ArgsUsage:   "SRC...",
		Description: "SRC is an archive, or a folder whose archives are all verified.\nExits with 3 if any is corrupt, and says which chunk.",
		Flags:       []cli.Flag{jobsFlag(oneEach)},
		Action:      verify,
	}
}

func verify(c *cli.Context) error {
	if err := wantArgs(c, 1, -1); err != nil {
		return err
	}
	jobs, err := jobs(c)
	if err != nil {
		return err
	}
	paths, err := findArchives(c.Args().Slice())
	if err != nil {
		return err
	}
	return each(c.Context, c.App.ErrWriter, paths, func(path string) error {
		return verifyOne(c, path, jobs)
	})
}

func verifyOne(c *cli.Context, path string, jobs int) error {
	r, err := openArchive(c.Context, path)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := verifyReader(c.Context, c.App.ErrWriter, filepath.Base(path), r, jobs); err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "%s: ok, %d chunks, %s\n", path, len(r.Index().Rows), humanize.IBytes(uint64(r.Size())))
	return nil
}

// verifyReader verifies r and shows how far it is, under the name given.
func verifyReader(ctx context.Context, stderr io.Writer, name string, r *archive.Reader, jobs int) error {
	b := newBar(stderr, name, r.Size())
	defer b.end()
	return archive.Verify(ctx, r, archive.VerifyOptions{Jobs: jobs, Progress: b.set})
}

// findArchives lists the files of srcs, and the archives in the folders of
// srcs.
func findArchives(srcs []string) ([]string, error) {
	var paths []string
	for _, src := range srcs {
		if !isDir(src) {
			if _, err := os.Stat(src); err != nil {
				return nil, err
			}
			paths = append(paths, src)
			continue
		}
		found, err := archivesIn(src)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("%s: there is no archive in this folder", src)
		}
		paths = append(paths, found...)
	}
	return paths, nil
}

func archivesIn(root string) ([]string, error) {
	root, err := filepath.EvalSymlinks(root) // a link would not be walked
	if err != nil {
		return nil, err
	}
	var paths []string
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if _, ok := archive.OriginalName(d.Name()); ok && d.Type().IsRegular() {
			paths = append(paths, path)
		}
		return nil
	})
	return paths, err
}
