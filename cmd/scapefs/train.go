package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/scapefs/scapefs/archive"
	"github.com/scapefs/scapefs/codec"
	"github.com/scapefs/scapefs/internal/disk"
	"github.com/scapefs/scapefs/safetensors"
)

const (
	defaultDistributions = 4
	defaultDictionaryLen = 4 << 10
)

func trainCommand() *cli.Command {
	dictionary := byteSize(defaultDictionaryLen)
	return &cli.Command{
		Name:      "train",
		Usage:     "make a profile of some models, to pack others by",
		ArgsUsage: "FILE...",
		Description: "A profile holds K distributions of bf16 weights, for pack --codec bf16_split_mixture, or with K = 1\n" +
			"bf16_split_pretrained, and a dictionary for zstd_19_dict. An archive carries what it needs of it.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write to `PROFILE`, a new file"},
			&cli.IntFlag{Name: "k", Value: defaultDistributions, Usage: fmt.Sprintf("fit up to `K` distributions, 0 to %d", codec.MaxDistributions)},
			sizeFlag("dictionary", "make a dictionary of up to `BYTES`, 0 for none", &dictionary),
		},
		Action: func(c *cli.Context) error { return train(c, int64(dictionary)) },
	}
}

func train(c *cli.Context, dictionaryLen int64) error {
	if err := wantArgs(c, 1, -1); err != nil {
		return err
	}
	out, k := c.String("output"), c.Int("k")
	switch {
	case out == "":
		return usagef("train: give the profile a name: -o PROFILE")
	case k < 0 || k > codec.MaxDistributions:
		return usagef("--k %d: give 0 to %d", k, codec.MaxDistributions)
	case dictionaryLen > codec.MaxDictionaryLen:
		return usagef("--dictionary %d: give up to %d", dictionaryLen, codec.MaxDictionaryLen)
	case k == 0 && dictionaryLen == 0:
		return usagef("train: a profile of nothing: give --k or --dictionary")
	}
	t := codec.NewTrainer()
	for _, path := range c.Args().Slice() {
		if err := learn(c.Context, c.App.ErrWriter, t, path); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	p, err := t.Profile(k, int(dictionaryLen))
	if err != nil {
		return err
	}
	b := p.Marshal()
	if err := writeNew(out, b); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.App.Writer, "%s: %s, %d distributions, dictionary of %d bytes\n", out, bytesOf(int64(len(b))), p.Distributions(), p.DictionaryLen())
	return err
}

// learn shows t the chunks of the file at path, as pack cuts them.
func learn(ctx context.Context, stderr io.Writer, t *codec.Trainer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("not a file")
	}
	hdr, err := safetensors.Parse(f, info.Size())
	if err != nil {
		return err
	}
	bar := newBar(stderr, filepath.Base(path), info.Size())
	defer bar.end()
	var data []byte
	for _, s := range archive.Plan(hdr, info.Size(), 0) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if cap(data) < s.Len {
			data = make([]byte, s.Len)
		}
		if _, err := f.ReadAt(data[:s.Len], s.Off); err != nil {
			return err
		}
		t.Add(data[:s.Len], s.Elem)
		bar.set(s.Off+int64(s.Len), info.Size())
	}
	return nil
}

// writeNew writes a file that does not exist yet, whole or not at all.
func writeNew(path string, b []byte) error {
	f, err := disk.Create(path, disk.Options{})
	if err == nil {
		defer f.Discard()
		_, err = f.Write(b)
	}
	if err == nil {
		err = f.Finish(0o644, time.Time{})
	}
	if err == nil {
		err = f.Commit()
	}
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists: remove it, or choose another name", path)
	}
	return err
}

// readProfile reads the profile that pack --profile names; none if path is "".
func readProfile(path string) (*codec.Profile, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, codec.MaxProfileLen+1))
	if err != nil {
		return nil, err
	}
	p, err := codec.ParseProfile(b)
	if errors.Is(err, codec.ErrCorrupt) {
		return nil, &codeError{code: exitCorrupt, msg: fmt.Sprintf("%s: %v: make it again with: scapefs train", path, err)}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// profileFor gives what method needs of the profile at path, with an error that
// says how to make it.
func profileFor(method codec.Method, path string) (*codec.Profile, error) {
	if !method.NeedsProfile() {
		if path != "" {
			return nil, usagef("--profile: codec %v codes by none", method)
		}
		return nil, nil
	}
	if path == "" {
		return nil, usagef("codec %v needs --profile FILE: make one with: scapefs train", method)
	}
	p, err := readProfile(path)
	if err != nil {
		return nil, err
	}
	if _, err := p.For(method); err != nil {
		return nil, usagef("--profile %s: %v: see scapefs train --help", path, err)
	}
	return p, nil
}
