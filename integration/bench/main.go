// Command bench measures a mount of scapefs beside what else could serve the
// same weights: the plain file cold and warm, a toy FUSE file system that
// serves zeros by the same options, images of squashfs and erofs, and zstd -d.
// It takes root, as it drops caches, mounts and limits disks; it needs fio and
// the tools of those images. `make bench-mount` runs it.
//
//	bench [FLAG]...                          measure
//	bench -doc FILE.md -plots DIR RESULT     show what -json wrote
//
// Whatever reads a mount is a process of its own. It uses scapefs as a program,
// and knows of its inside only how long a block takes to decode.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

type options struct {
	scapefs, dir string
	megabytes    int
	rounds       int
	cache        int64
	big          int
	only         string
	json         string
	strict       bool
	doc, plots   string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case readCommand:
			return readMain(args[1:], os.Stdout)
		case zerosCommand:
			return zerosMain(ctx, args[1:])
		}
	}
	var opt options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.StringVar(&opt.scapefs, "scapefs", "bin/scapefs", "measure this `PROGRAM`")
	f.StringVar(&opt.dir, "dir", ".cache/bench-mount", "keep models, images and mounts in `DIR`, on the disk to be measured")
	f.IntVar(&opt.megabytes, "mb", 1024, "size of the model in MiB")
	f.IntVar(&opt.rounds, "rounds", 3, "how many rounds; the median counts")
	f.Int64Var(&opt.cache, "cache", 256<<20, "--cache-size of the mounts, in `BYTES`")
	f.IntVar(&opt.big, "big", 0, "also have 32 readers read a file of so many `GIB` in a container of 512 MiB; 16 takes some minutes")
	f.StringVar(&opt.only, "only", "", "only the workloads that this regular `EXPRESSION` matches")
	f.StringVar(&opt.json, "json", "", "write the result to `FILE`")
	f.BoolVar(&opt.strict, "strict", false, "fail if a target is missed")
	f.StringVar(&opt.doc, "doc", "", "put the tables of RESULT into `FILE`, between its markers")
	f.StringVar(&opt.plots, "plots", "", "plot RESULT into SVG files in `DIR`")
	if err := f.Parse(args); err != nil {
		return err
	}
	switch {
	case f.NArg() == 1 && opt.doc+opt.plots != "":
		return show(opt, f.Arg(0))
	case f.NArg() > 0 || opt.doc+opt.plots != "" || opt.rounds < 1 || opt.megabytes < 32:
		return errors.New("wrong use: see -help")
	}
	return measureAndPrint(ctx, opt)
}

func measureAndPrint(ctx context.Context, opt options) error {
	res, err := measure(ctx, opt)
	if err != nil {
		return err
	}
	if err := res.print(os.Stdout); err != nil {
		return err
	}
	if opt.json != "" {
		b, err := json.MarshalIndent(res, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(opt.json, append(b, '\n'), 0o644); err != nil {
			return err
		}
	}
	if missed := res.missed(); opt.strict && missed > 0 {
		return fmt.Errorf("%d targets missed", missed)
	}
	return nil
}
