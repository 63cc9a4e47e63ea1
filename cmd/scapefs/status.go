package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v2"

	"github.com/scapefs/scapefs/fs"
)

func statusCommand() *cli.Command {
	return &cli.Command{
		Name:        "status",
		Usage:       "tell what a mount is doing, and what limits it",
		ArgsUsage:   "MOUNTPOINT",
		Description: "Answers also while the disk of the archives does not.",
		Flags:       []cli.Flag{&cli.BoolFlag{Name: "json", Usage: "print one JSON object"}},
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 1, 1); err != nil {
				return err
			}
			s, err := fs.ReadStatus(c.Args().First())
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return json.NewEncoder(c.App.Writer).Encode(s)
			}
			return printStatus(c.App.Writer, s)
		},
	}
}

func printStatus(w io.Writer, s fs.Status) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(t, "%s\t"+format+"\n", append([]any{name}, args...)...)
	}
	size := func(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }
	row("source", "%s", s.Source)
	row("process", "%d, for %v", s.PID, time.Duration(s.UptimeSeconds*float64(time.Second)).Round(time.Second))
	row("reads", "%d, %s", s.Reads, humanize.IBytes(s.ReadBytes))
	row("decoded", "%s as reads waited, %s ahead of them", humanize.IBytes(s.DemandBytes), humanize.IBytes(s.AheadBytes))
	row("files", "%d open, %d sequential readers", s.OpenFiles, s.Streams)
	row("workers", "%d of %d busy, %d pieces queued, %d reads wait", s.Busy, s.Jobs, s.Queued, s.WaitingReads)
	row("cache", "%s of %s, %s pinned, %s free; %d hits, %d misses", size(s.CacheUsed), size(s.CacheLimit),
		size(s.CachePinned), size(s.CacheIdle), s.CacheHits, s.CacheMisses)
	row("page cache", "%s", s.PageCache)
	row("memory", "%s resident, %s of it Go heap, %d goroutines", size(s.RSSBytes), size(s.HeapBytes), s.Goroutines)
	row("faults", "%d", s.Faults)
	for _, limit := range s.Limits {
		row("limited by", "%s", limit)
	}
	return t.Flush()
}
