package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v2"

	"github.com/scapefs/scapefs/archive"
	"github.com/scapefs/scapefs/codec"
	"github.com/scapefs/scapefs/internal/disk"
)

func packCommand() *cli.Command {
	chunk := byteSize(archive.DefaultChunkLen)
	return &cli.Command{
		Name:      "pack",
		Usage:     "make archives of files, or of the " + archive.TensorSuffix + " files of a folder",
		ArgsUsage: "SRC...",
		Description: "X.safetensors becomes X.scape, any other file N becomes N.scapef, beside it or in OUT.\n" +
			"A folder becomes the same tree under OUT; files other than .safetensors are copied, links kept.\n" +
			"Run again, it goes on where it stopped.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write to `OUT`, a file or a folder"},
			&cli.StringFlag{Name: "codec", Value: codec.Auto.String(), Usage: "code by method `NAME`: auto, " + methodNames()},
			&cli.StringFlag{Name: "level", Value: codec.Balanced.String(), Usage: "weigh size against speed by `L`: fast, balanced or small"},
			&cli.StringFlag{Name: "profile", Usage: "code by the `PROFILE` that train made, with a codec that needs one"},
			sizeFlag("chunk-size", "original `BYTES` of a chunk, as 4MiB", &chunk),
			jobsFlag(oneEach),
			&cli.BoolFlag{Name: "force", Usage: "overwrite files in OUT that are no copies of the source's, and archives of other states of them"},
			&cli.BoolFlag{Name: "follow-symlinks", Usage: "take what links in a folder point to; without it they stay links"},
			&cli.BoolFlag{Name: "replace", Usage: "remove each original once its archive is on disk and decodes to it"},
		},
		Action: func(c *cli.Context) error { return pack(c, int64(chunk)) },
	}
}

func methodNames() string {
	var names []string
	for _, m := range codec.Methods() {
		names = append(names, m.String())
	}
	return strings.Join(names, ", ")
}

func pack(c *cli.Context, chunkLen int64) error {
	if err := wantArgs(c, 1, -1); err != nil {
		return err
	}
	p := &packer{replace: c.Bool("replace"), force: c.Bool("force"), stdout: c.App.Writer, stderr: c.App.ErrWriter}
	var err error
	if p.opt, err = packOptions(c, chunkLen); err != nil {
		return err
	}
	steps, err := planSteps(c.Args().Slice(), c.String("output"), rule{
		convert: func(name string) (string, bool) {
			return archive.ArchiveName(name), strings.HasSuffix(name, archive.TensorSuffix)
		},
		convertAny: func(name string) (string, bool) { return archive.ArchiveName(name), true },
		shown:      shownName,
		inPlace:    p.replace,
		follow:     c.Bool("follow-symlinks"),
		stderr:     p.stderr,
	})
	if err != nil {
		return err
	}
	if err := p.check(steps); err != nil {
		return err
	}
	d := &doer{convert: p.pack, overwrite: c.Bool("force"), stdout: p.stdout, stderr: p.stderr}
	return d.do(c.Context, steps)
}

func packOptions(c *cli.Context, chunkLen int64) (opt archive.PackOptions, err error) {
	if opt.Method, err = codec.ParseMethod(c.String("codec")); err != nil {
		return opt, usagef("--codec: %v", err)
	}
	if opt.Level, err = codec.ParseLevel(c.String("level")); err != nil {
		return opt, usagef("--level: %v", err)
	}
	if opt.Profile, err = profileFor(opt.Method, c.String("profile")); err != nil {
		return opt, err
	}
	const align = 4 << 10
	if chunkLen < align || chunkLen > codec.MaxChunkLen || chunkLen%align != 0 {
		return opt, usagef("--chunk-size %d: give a multiple of 4KiB, up to %s", chunkLen, humanize.IBytes(codec.MaxChunkLen))
	}
	opt.ChunkLen = int(chunkLen)
	opt.Jobs, err = jobs(c)
	return opt, err
}

// shownName is the name that a file called name has in a mount.
func shownName(name string) string {
	if original, ok := archive.OriginalName(name); ok {
		return original
	}
	return name
}

// packer packs the files of a plan.
type packer struct {
	opt            archive.PackOptions
	replace, force bool
	stdout, stderr io.Writer
}

// check looks at what would only be found out after a lot of work.
func (p *packer) check(steps []step) error {
	for _, s := range steps {
		if s.do != convert {
			continue
		}
		if _, ok := archive.OriginalName(filepath.Base(s.dst)); !ok {
			fmt.Fprintf(p.stderr, "scapefs: warning: %s will not show unpacked in a mount: call it X%s or N%s\n",
				s.dst, archive.ArchiveSuffix, archive.AnySuffix)
		}
		info, err := os.Lstat(s.src)
		if err != nil {
			return err
		}
		if p.replace && !info.Mode().IsRegular() {
			return usagef("--replace: %s is a link: name the file it points to", s.src)
		}
	}
	return nil
}

// pack makes the archive of one file, unless it is there already.
func (p *packer) pack(ctx context.Context, s step) error {
	there, err := p.lookAt(ctx, s)
	if err != nil {
		return err
	}
	if there == current {
		if err := disk.Flush(s.dst); err != nil {
			return err
		}
		fmt.Fprintf(p.stdout, "%s: up to date\n", s.dst)
		if !p.replace {
			return nil
		}
		sum, err := p.verified(ctx, s)
		if err != nil {
			return err
		}
		return p.remove(ctx, s, sum)
	}
	opt := p.opt
	opt.Overwrite = there == stale
	opt.Warn = func(msg string) {
		if filepath.Ext(s.src) == archive.TensorSuffix { // of other files nobody expects a header
			fmt.Fprintf(p.stderr, "scapefs: warning: %s\n", msg)
		}
	}
	res, err := p.packOne(ctx, s, opt)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "%s: %s of %s, ratio %.3f\n", s.dst,
		humanize.IBytes(uint64(res.Stored)), humanize.IBytes(uint64(res.Original)), ratio(res.Original, res.Stored))
	if p.replace {
		s.info = res.Source
		return p.remove(ctx, s, res.SHA256)
	}
	return nil
}

func (p *packer) packOne(ctx context.Context, s step, opt archive.PackOptions) (archive.Result, error) {
	b := newBar(p.stderr, filepath.Base(s.src), s.info.Size())
	defer b.end()
	opt.Progress = b.set
	return archive.Pack(ctx, s.dst, s.src, opt)
}

// presence is what stands where an archive is to be.
type presence int

const (
	missing presence = iota
	stale            // an archive of the file that may be written anew
	current          // the archive of the file as it is
)

// lookAt tells what stands at s.dst. Anything but an archive of s.src is an
// error: it is not ours to overwrite. Nor is one of other bytes that are no older,
// unless --force says so: --replace may have removed their original, or that was a
// file of the same name elsewhere.
func (p *packer) lookAt(ctx context.Context, s step) (presence, error) {
	info, err := os.Lstat(s.dst)
	if errors.Is(err, fs.ErrNotExist) {
		return missing, nil
	}
	if err != nil {
		return missing, err
	}
	const hint = "remove it, or choose another OUT"
	if !info.Mode().IsRegular() {
		return missing, fmt.Errorf("%s exists and is not a file: %s", s.dst, hint)
	}
	r, err := openArchive(ctx, s.dst)
	if isDamage(err) {
		return missing, fmt.Errorf("%s exists and is not a sound archive (%v): %s", s.dst, err, hint)
	}
	if err != nil {
		return missing, err
	}
	defer r.Close()
	meta := r.Index().Meta
	switch {
	case meta.Name != filepath.Base(s.src):
		return missing, fmt.Errorf("%s exists and is the archive of another file, %s: %s", s.dst, printable(meta.Name), hint)
	case meta.Size == s.info.Size() && meta.MTime.Equal(s.info.ModTime()):
		return current, nil
	case p.force, s.info.ModTime().After(meta.MTime):
		return stale, nil
	}
	f, err := os.Open(s.src)
	if err != nil {
		return missing, err
	}
	defer f.Close()
	sum, err := hashFile(ctx, f)
	if err != nil {
		return missing, err
	}
	if sum != meta.SHA256 {
		return missing, fmt.Errorf("%s exists and holds other bytes than %s, which may be nowhere else: remove it, overwrite it with --force, or choose another OUT", s.dst, s.src)
	}
	return stale, nil
}

// verified decodes the archive at s.dst, made earlier, and gives the SHA-256 of
// what it holds.
func (p *packer) verified(ctx context.Context, s step) (sum [sha256.Size]byte, err error) {
	r, err := openArchive(ctx, s.dst)
	if err != nil {
		return sum, err
	}
	defer r.Close()
	err = verifyReader(ctx, p.stderr, filepath.Base(s.dst), r, p.opt.Jobs)
	return r.Index().Meta.SHA256, err
}

// remove removes the original, if it is still the file that was planned and has
// the bytes of the archive, whose SHA-256 is sum. Size and mtime prove nothing:
// all is read once more, last of all.
func (p *packer) remove(ctx context.Context, s step, sum [sha256.Size]byte) error {
	f, err := os.OpenFile(s.src, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	before, err := f.Stat()
	if err != nil {
		return err
	}
	if !os.SameFile(before, s.info) || !sameStamp(before, s.info) {
		return fmt.Errorf("%s: not removed: %w", s.src, archive.ErrChanged)
	}
	got, err := hashFile(ctx, f)
	if err != nil {
		return err
	}
	if got != sum {
		return fmt.Errorf("%s: not removed: %s is not the archive of it, though size and mtime are the same: remove the archive and pack again", s.src, s.dst)
	}
	now, err := os.Lstat(s.src)
	if err != nil {
		return err
	}
	if !os.SameFile(before, now) || !sameStamp(before, now) || !disk.ChangeTime(before).Equal(disk.ChangeTime(now)) {
		return fmt.Errorf("%s: not removed: %w", s.src, archive.ErrChanged)
	}
	if err := os.Remove(s.src); err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "%s: removed\n", s.src)
	return disk.SyncDir(filepath.Dir(s.src))
}

// hashFile gives the SHA-256 of the rest of f.
func hashFile(ctx context.Context, f io.Reader) (sum [sha256.Size]byte, err error) {
	h := sha256.New()
	if _, err := readAll(h, contextReader{ctx, f}); err != nil {
		return sum, err
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}

// ratio is how many times smaller stored is than original.
func ratio(original, stored int64) float64 {
	if stored == 0 {
		return 0
	}
	return float64(original) / float64(stored)
}
