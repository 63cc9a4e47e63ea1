package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v2"
)

// warmupJobs is how many files are read at once. The mount decodes one file
// on all processors; more files keep the disk busy between them.
const warmupJobs = 4

// warmed is what a warmup did.
type warmed struct {
	Files   int64   `json:"files"`
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"`
	Failed  int64   `json:"failed"`
}

func warmupCommand() *cli.Command {
	return &cli.Command{
		Name:      "warmup",
		Usage:     "read files ahead of use, so that they come from memory then",
		ArgsUsage: "PATH...",
		Description: "PATH is a file of a mount, or a folder whose files are all read. What is read\n" +
			"stays in the system's page cache for as long as that has room.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "json", Usage: "print one JSON object"},
			&cli.IntFlag{Name: "jobs", Usage: "read `N` files at once", DefaultText: fmt.Sprint(warmupJobs)},
		},
		Action: warmup,
	}
}

func warmup(c *cli.Context) error {
	if err := wantArgs(c, 1, -1); err != nil {
		return err
	}
	n, err := jobs(c)
	if err != nil {
		return err
	}
	if n == 0 {
		n = warmupJobs
	}
	files, err := filesToWarm(c.Args().Slice())
	if err != nil {
		return err
	}
	b := newBar(c.App.ErrWriter, "warmup", files.size)
	w, err := warmAll(c.Context, c.App.ErrWriter, files.paths, n, func(done int64) { b.set(done, files.size) })
	b.end()
	if c.Context.Err() != nil {
		return err
	}
	if c.Bool("json") {
		return errors.Join(json.NewEncoder(c.App.Writer).Encode(w), err)
	}
	fmt.Fprintf(c.App.Writer, "%d files, %s in %.1f s\n", w.Files, humanize.IBytes(uint64(w.Bytes)), w.Seconds)
	return err
}

// warmList is the files to be read, each once.
type warmList struct {
	paths []string
	size  int64 // of all
	seen  map[fileID]bool
}

type fileID struct{ dev, ino uint64 }

// filesToWarm lists the regular files of paths and of the folders among them.
// Links to files count as these: the snapshots of a model hub are made of
// links.
func filesToWarm(paths []string) (*warmList, error) {
	l := &warmList{seen: make(map[fileID]bool)}
	for _, path := range paths {
		add := l.add
		if isDir(path) {
			add = l.addFolder
		}
		if err := add(path); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func (l *warmList) add(path string) error {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		id := fileID{uint64(st.Dev), st.Ino}
		if l.seen[id] {
			return nil
		}
		l.seen[id] = true
	}
	l.paths, l.size = append(l.paths, path), l.size+info.Size()
	return nil
}

func (l *warmList) addFolder(path string) error {
	root, err := filepath.EvalSymlinks(path) // a link would not be walked
	if err != nil {
		return err
	}
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		err = l.add(path)
		if errors.Is(err, os.ErrNotExist) && d.Type()&fs.ModeSymlink != 0 {
			return nil // a link that leads nowhere
		}
		return err
	})
}

// warmAll reads files, jobs of them at once, and tells progress how many bytes
// have been read. What fails is reported, and the rest read all the same.
func warmAll(ctx context.Context, stderr io.Writer, files []string, jobs int, progress func(int64)) (warmed, error) {
	var done, failed atomic.Int64
	var telling sync.Mutex
	var workers sync.WaitGroup
	queue := make(chan string, len(files))
	for _, path := range files {
		queue <- path
	}
	close(queue)
	start := time.Now()
	for range min(jobs, len(files)) {
		workers.Go(func() {
			buf := make([]byte, 1<<20)
			for path := range queue {
				if ctx.Err() != nil {
					return
				}
				err := warmOne(ctx, path, buf, func(n int) {
					telling.Lock()
					defer telling.Unlock()
					progress(done.Add(int64(n)))
				})
				if err != nil && ctx.Err() == nil {
					failed.Add(1)
					telling.Lock()
					report(stderr, err)
					telling.Unlock()
				}
			}
		})
	}
	workers.Wait()
	w := warmed{
		Files:   int64(len(files)) - failed.Load(),
		Bytes:   done.Load(),
		Seconds: time.Since(start).Seconds(),
		Failed:  failed.Load(),
	}
	switch {
	case ctx.Err() != nil:
		return w, ctx.Err()
	case w.Failed > 0:
		return w, &codeError{code: exitFailed}
	}
	return w, nil
}

// warmOne reads the file at path from start to end, by way of buf.
func warmOne(ctx context.Context, path string, buf []byte, read func(int)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		n, err := f.Read(buf)
		read(n)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		}
	}
}
