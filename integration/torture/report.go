package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/scapefs/scapefs/integration/torture/reader"
)

// report is what came of a torture. Whatever stands in Bad must not be.
type report struct {
	Seed    uint64         `json:"seed"`
	Soak    bool           `json:"soak"`
	Seconds float64        `json:"seconds"`
	Rounds  int            `json:"rounds"`
	Faults  map[string]int `json:"faults"`          // tried, by name
	Failed  int64          `json:"failed_requests"` // of the disk
	Signals int64          `json:"signals"`
	Limits  []string       `json:"limits"` // that the daemon lived under
	Readers reader.Tally   `json:"readers"`
	Bad     bad            `json:"bad"`
	Notes   []string       `json:"notes,omitempty"` // what is bad, in words
	Begin   sample         `json:"begin"`           // of the daemon without readers, before
	End     sample         `json:"end"`             // and after
	Peak    int64          `json:"peak_rss_bytes"`

	began time.Time
	log   io.Writer
}

// bad is what must not be.
type bad struct {
	Wrong    int64 `json:"wrong"`    // reads with wrong bytes
	Hangs    int   `json:"hangs"`    // no answer though no fault is there
	Unhealed int   `json:"unhealed"` // errors though no fault is there
	Deaths   int   `json:"deaths"`   // of a daemon that nobody killed
	Leaks    int   `json:"leaks"`    // of files, memory, goroutines, mounts
}

// sample is what a daemon holds.
type sample struct {
	RSS        int64 `json:"rss_bytes"`
	Heap       int64 `json:"heap_bytes"`
	Files      int   `json:"files"`
	Goroutines int   `json:"goroutines"`
}

func newReport(c config) *report {
	return &report{Seed: c.seed, Soak: c.soak, Faults: map[string]int{}, began: time.Now(), log: c.log}
}

// note puts what is bad in words.
func (r *report) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	fmt.Fprintln(r.log, "  BAD:", text)
	if len(r.Notes) < 100 {
		r.Notes = append(r.Notes, text)
	}
}

// add takes what a reader has seen.
func (r *report) add(t reader.Tally) {
	r.Readers.Add(t)
	r.Signals += t.Signals
	if t.Wrong > 0 {
		r.Bad.Wrong += t.Wrong
		r.note("%d reads with wrong bytes: %s", t.Wrong, t.Detail)
	}
}

func (r *report) ok() bool { return r.Bad == bad{} }

func (r *report) print(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(t, "%s\t"+format+"\n", append([]any{name}, args...)...)
	}
	tried := 0
	for _, n := range r.Faults {
		tried += n
	}
	row("seed", "%d", r.Seed)
	row("time", "%v, %d rounds", time.Duration(r.Seconds*float64(time.Second)).Round(time.Second), r.Rounds)
	row("limits", "%v", r.Limits)
	row("faults tried", "%d; %d requests of the disk failed, %d signals", tried, r.Failed, r.Signals)
	for _, name := range slices.Sorted(maps.Keys(r.Faults)) {
		row("", "%d %s", r.Faults[name], name)
	}
	row("files read", "%d, %d of them without an error", r.Readers.Passes, r.Readers.Good)
	row("errors", "%v", r.Readers.Errors)
	row("bytes compared", "%s", humanize.IBytes(uint64(r.Readers.Bytes)))
	row("longest call", "%v", time.Duration(r.Readers.Longest)*time.Millisecond)
	row("daemon before", "%s", r.Begin)
	row("daemon after", "%s, at most %s", r.End, humanize.IBytes(uint64(r.Peak)))
	row("wrong bytes", "%d", r.Bad.Wrong)
	row("hangs", "%d", r.Bad.Hangs)
	row("not healed", "%d", r.Bad.Unhealed)
	row("deaths", "%d", r.Bad.Deaths)
	row("leaks", "%d", r.Bad.Leaks)
	for _, n := range r.Notes {
		row("", "%s", n)
	}
	t.Flush()
}

func (s sample) String() string {
	return fmt.Sprintf("%s resident, %s Go heap, %d files, %d goroutines",
		humanize.IBytes(uint64(s.RSS)), humanize.IBytes(uint64(s.Heap)), s.Files, s.Goroutines)
}
