// Command torture mounts archives from a disk that fails on command, lets
// readers compare every byte with what they know to be right, and tries one
// fault after the other on disk, archives, daemon and readers. Without faults
// it is a soak: it shows that nothing grows. See README.md.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/scapefs/scapefs/integration/torture/rig"
)

func main() {
	rig.RunChild()
	ok, err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

// config is what the command line says.
type config struct {
	program  string
	length   time.Duration
	seed     uint64
	files    int
	tensors  int           // of each file
	patience time.Duration // after which what has not answered hangs, once the fault is over
	soak     bool
	json     bool
	race     bool      // the daemon is built with the race detector
	log      io.Writer // of what goes on
}

func run() (ok bool, err error) {
	var c config
	flag.StringVar(&c.program, "program", "", "the scapefs to try; built if not given")
	flag.DurationVar(&c.length, "for", 2*time.Minute, "how long to go on")
	flag.Uint64Var(&c.seed, "seed", rand.Uint64(), "of all that is random")
	flag.IntVar(&c.files, "files", 6, "how many archives")
	flag.IntVar(&c.tensors, "mib", 8, "the size of each, about")
	flag.DurationVar(&c.patience, "patience", time.Minute, "after how long what has not answered hangs, once a fault is over")
	flag.BoolVar(&c.soak, "soak", false, "try no faults, but see whether anything grows")
	flag.BoolVar(&c.json, "json", false, "print one JSON object on stdout")
	flag.BoolVar(&c.race, "race", false, "build the daemon with the race detector, which ends it; its limits are off")
	quiet := flag.Bool("quiet", false, "do not tell what goes on")
	flag.Parse()
	if flag.NArg() > 0 || c.files < 2 || c.tensors < 1 {
		return false, fmt.Errorf("wrong use; see -help")
	}
	c.log = os.Stderr
	if *quiet {
		c.log = io.Discard
	}
	dir, err := os.MkdirTemp("", "scapefs-torture-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	if c.program == "" {
		c.program = filepath.Join(dir, "scapefs")
		build := exec.Command("go", "build", fmt.Sprintf("-race=%v", c.race), "-o", c.program, "github.com/scapefs/scapefs/cmd/scapefs")
		if out, err := build.CombinedOutput(); err != nil {
			return false, fmt.Errorf("build scapefs: %w\n%s", err, out)
		}
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	fmt.Fprintf(c.log, "torture -seed %d -for %v -files %d -mib %d -soak=%v\n", c.seed, c.length, c.files, c.tensors, c.soak)
	report, err := torture(ctx, c, dir)
	if err != nil {
		return false, err
	}
	if c.json {
		return report.ok(), json.NewEncoder(os.Stdout).Encode(report)
	}
	report.print(os.Stdout)
	return report.ok(), nil
}

// torture tries faults until the time is over.
func torture(ctx context.Context, c config, dir string) (r *report, err error) {
	r = newReport(c)
	s, err := newStage(c, dir, r)
	if err != nil {
		return nil, err
	}
	defer func() { err = s.close(err) }()
	ctx, cancel := context.WithTimeout(ctx, c.length)
	defer cancel()
	least := len(faults()) // so that even a short run tries all
	if c.soak {
		least = 1
	}
	for r.Rounds < least || ctx.Err() == nil {
		if c.soak {
			err = s.soakRound(ctx)
		} else {
			err = s.faultRound()
		}
		if err != nil {
			return nil, err
		}
		r.Rounds++
	}
	s.settle()
	return r, nil
}
