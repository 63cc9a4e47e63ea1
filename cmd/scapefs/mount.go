package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v2"

	"github.com/scapefs/scapefs/fs"
)

// mountArgs is what the command line of mount says.
type mountArgs struct {
	source, mountpoint string
	foreground         bool
	cacheSize          byteSize
	readahead          byteSize // 0: the default, unless noReadahead
	noReadahead        bool
	jobs               int
	pageCache          string
	allowOther         bool
	logFile, logFormat string
	readyFD            int // where to tell that the mount answers; 0 for nowhere
}

func mountCommand() *cli.Command { return mountCommandOf(new(mountArgs)) }

func mountCommandOf(a *mountArgs) *cli.Command {
	return &cli.Command{
		Name:      "mount",
		Usage:     "show a folder of archives as the plain files they came from, read-only",
		ArgsUsage: "SRC MOUNTPOINT",
		Description: "Returns once the mount answers, and serves it from the background until\n" +
			"scapefs umount MOUNTPOINT.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "foreground", Aliases: []string{"f"}, Usage: "stay; an interrupt unmounts"},
			sizeFlag("cache-size", "hold up to `BYTES` of decoded data (default: a quarter of the memory limit)", &a.cacheSize),
			sizeFlag("readahead", "decode up to `BYTES` ahead of a sequential reader; 0 for none (default: 2 MiB for each job, at least 32 MiB)", &a.readahead),
			jobsFlag("three for two processors"),
			&cli.StringFlag{Name: "page-cache", Value: string(fs.PageCacheAuto),
				Usage: "have the kernel keep what it has read in an image (`erofs`: faster, takes root), in FUSE's pages (fuse), or as it can (auto)"},
			&cli.BoolFlag{Name: "allow-other", Usage: "let other users in"},
			&cli.StringSliceFlag{Name: "options", Aliases: []string{"o"}, Usage: "mount `OPTIONS` as in fstab: ro, allow_other"},
			&cli.StringFlag{Name: "log-file", Usage: "append the log to `FILE`"},
			&cli.StringFlag{Name: "log-format", Value: "text", Usage: "write the log as `text` or json"},
			&cli.IntFlag{Name: readyFlag, Hidden: true},
		},
		Action: func(c *cli.Context) error {
			if err := a.read(c); err != nil {
				return err
			}
			if a.foreground {
				return a.serve(c.Context, c.App.ErrWriter)
			}
			return a.startBackground(c.Context)
		},
	}
}

// read takes the rest from c, and checks it.
func (a *mountArgs) read(c *cli.Context) (err error) {
	if err := wantArgs(c, 2, 2); err != nil {
		return err
	}
	a.noReadahead = c.IsSet("readahead") && a.readahead == 0
	if a.source, err = filepath.Abs(c.Args().Get(0)); err != nil {
		return err
	}
	if a.mountpoint, err = filepath.Abs(c.Args().Get(1)); err != nil {
		return err
	}
	if a.jobs, err = jobs(c); err != nil {
		return err
	}
	a.foreground = c.Bool("foreground")
	a.readyFD = c.Int(readyFlag)
	a.logFormat = c.String("log-format")
	if a.logFormat != "text" && a.logFormat != "json" {
		return usagef("--log-format %s: give text or json", a.logFormat)
	}
	if a.logFile = c.String("log-file"); a.logFile != "" {
		if a.logFile, err = filepath.Abs(a.logFile); err != nil {
			return err
		}
	}
	if c.IsSet("cache-size") && a.cacheSize < fs.MinCacheSize {
		return usagef("--cache-size %d: give at least %s", int64(a.cacheSize), humanize.IBytes(fs.MinCacheSize))
	}
	if a.pageCache = c.String("page-cache"); !fs.PageCache(a.pageCache).Valid() {
		return usagef("--page-cache %s: give auto, erofs or fuse", a.pageCache)
	}
	a.allowOther = c.Bool("allow-other")
	return a.readOptions(c.StringSlice("options"))
}

// readOptions takes the options of -o. Those that are for mount(8) and its
// kin to act on are let pass.
func (a *mountArgs) readOptions(options []string) error {
	for _, o := range options {
		switch o {
		case "allow_other":
			a.allowOther = true
		case "auto_unmount":
			return usagef("-o auto_unmount is not supported: end the mount with scapefs umount; a dead one is cleared by the next mount")
		case "rw":
			return usagef("-o rw: a scapefs mount is read-only")
		case "ro", "defaults", "auto", "noauto", "nofail", "_netdev", "user", "nouser", "users",
			"nosuid", "nodev", "noexec", "noatime", "relatime":
		default:
			if !strings.HasPrefix(o, "x-") {
				return usagef("-o %s: unknown option (known: ro, allow_other)", o)
			}
		}
	}
	return nil
}

// command gives the arguments that make a process of its own serve a, in the
// foreground, and tell of it at ready.
func (a *mountArgs) command(ready int) []string {
	args := []string{"mount", "--foreground", "--" + readyFlag, strconv.Itoa(ready), "--log-format", a.logFormat}
	if a.pageCache != "" {
		args = append(args, "--page-cache", a.pageCache)
	}
	if a.readahead > 0 || a.noReadahead {
		args = append(args, "--readahead", strconv.FormatInt(int64(a.readahead), 10))
	}
	if a.cacheSize > 0 {
		args = append(args, "--cache-size", strconv.FormatInt(int64(a.cacheSize), 10))
	}
	if a.jobs > 0 {
		args = append(args, "--jobs", strconv.Itoa(a.jobs))
	}
	if a.allowOther {
		args = append(args, "--allow-other")
	}
	if a.logFile != "" {
		args = append(args, "--log-file", a.logFile)
	}
	return append(args, "--", a.source, a.mountpoint)
}

// serve mounts, tells whoever started it, and stays until the mount ends. ctx
// unmounts.
func (a *mountArgs) serve(ctx context.Context, stderr io.Writer) error {
	mount, err := a.mount(stderr)
	if a.readyFD != 0 {
		if told := tellReady(a.readyFD, err); told != nil {
			return told
		}
	}
	if err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		mount.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
	}
	// Files that are open keep a detached mount alive. It would not be seen
	// any more, and a second signal should end it: do not wait for them.
	return mount.Unmount()
}

func (a *mountArgs) mount(stderr io.Writer) (*fs.Server, error) {
	cache := int64(a.cacheSize)
	if cache == 0 {
		cache = defaultCacheSize()
	}
	limitMemory()
	runBeyondProcessors()
	log, err := a.logger(stderr)
	if err != nil {
		return nil, err
	}
	readahead := int64(a.readahead)
	if a.noReadahead {
		readahead = -1
	}
	return fs.Mount(a.mountpoint, fs.Options{
		Source:     a.source,
		CacheSize:  cache,
		Readahead:  readahead,
		Jobs:       a.jobs,
		PageCache:  fs.PageCache(a.pageCache),
		AllowOther: a.allowOther,
		Logger:     log,
	})
}

func (a *mountArgs) logger(w io.Writer) (*slog.Logger, error) {
	if a.logFile != "" {
		f, err := openLog(a.logFile)
		if err != nil {
			return nil, err
		}
		w = f // open as long as the process
	}
	if a.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, nil)), nil
	}
	return slog.New(slog.NewTextHandler(w, nil)), nil
}

func openLog(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("log file: %w", err)
	}
	return f, nil
}

// defaultCacheSize is a quarter of the memory that this process may use, by
// its control group or the machine.
func defaultCacheSize() int64 {
	limit := uint64(4 * fs.DefaultCacheSize)
	if system, err := memlimit.FromSystem(); err == nil {
		limit = system
	}
	if group, err := memlimit.FromCgroup(); err == nil {
		limit = min(limit, group)
	}
	return max(int64(min(limit, math.MaxInt64)/4), fs.MinCacheSize)
}

// limitMemory makes the collector work harder before the Go heap, which the
// cache is not part of, grows out of bounds. A limit that the user set stays.
func limitMemory() {
	const heap = 48 << 20
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(heap)
	}
}

// runBeyondProcessors has Go run twice as many threads at once as there are processors.
// One that waits for the disk, or writes to the kernel, is taken for running, for up to
// milliseconds, and who answers a reader would wait until a worker has decoded what it is
// at. A number that the user set stays.
func runBeyondProcessors() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(2 * runtime.GOMAXPROCS(0))
	}
}
