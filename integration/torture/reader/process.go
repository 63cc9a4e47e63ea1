// Package reader reads files through a mount in every way, in a process of its
// own, and compares every byte with what it knows to be right. It knows
// nothing of archives, nor of what goes wrong meanwhile.
package reader

import (
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/scapefs/scapefs/integration/torture/child"
)

// Role is the name of the process that reads.
const Role = "reader"

// restAfterError keeps a reader whose files all fail from doing nothing else
// than failing.
const restAfterError = 10 * time.Millisecond

// Main does the job that args[0] is in JSON. It tells a Tally after each pass,
// and ends with the passes of the job, or when stdin does.
func Main(args []string) error {
	var job Job
	if len(args) != 1 {
		return errors.New("give a job")
	}
	if err := json.Unmarshal([]byte(args[0]), &job); err != nil {
		return err
	}
	var stop atomic.Bool
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // whatever ends it
		stop.Store(true)
	}()
	var signals atomic.Int64
	if job.Deaf {
		heard := make(chan os.Signal, 64)
		signal.Notify(heard, syscall.SIGINT)
		go func() {
			for range heard {
				signals.Add(1)
			}
		}()
	}
	tally := Tally{Errors: map[string]int{}}
	rng := rand.New(rand.NewPCG(job.Seed, 1))
	out := json.NewEncoder(os.Stdout)
	for !stop.Load() && (job.Passes == 0 || tally.Passes < job.Passes) {
		tally.pass(job, rng)
		tally.Signals = signals.Load()
		if err := out.Encode(tally); err != nil {
			return err
		}
	}
	return nil
}

// pass reads one of the job's files.
func (t *Tally) pass(job Job, rng *rand.Rand) {
	file := job.Files[rng.IntN(len(job.Files))]
	p := &pass{rng: rng, check: newCheck(file)}
	err := p.run(filepath.Join(job.Dir, file.Name), job)
	t.Passes++
	t.Bytes += p.check.bytes
	t.Longest = max(t.Longest, p.longest.Milliseconds())
	switch {
	case err == nil:
		t.Good++
		return
	case errors.Is(err, errWrong):
		t.Wrong++
		if t.Detail == "" {
			t.Detail = file.Name + ", by " + string(job.Way) + ": " + err.Error()
		}
	default:
		t.Errors[errorName(err)]++
	}
	time.Sleep(restAfterError)
}

func errorName(err error) string {
	var no syscall.Errno
	if errors.As(err, &no) {
		return unix.ErrnoName(no)
	}
	return err.Error()
}

// Reader is a process that reads.
type Reader struct {
	Job  Job
	cmd  *exec.Cmd
	in   io.WriteCloser
	done chan struct{} // closed when the process has ended

	mu    sync.Mutex
	tally Tally
	heard time.Time
	err   error // that it ended with
}

// Start begins a job.
func Start(job Job) (*Reader, error) {
	text, err := json.Marshal(job)
	if err != nil {
		return nil, err
	}
	cmd := child.Command(Role, string(text))
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	r := &Reader{Job: job, cmd: cmd, in: in, done: make(chan struct{}), heard: time.Now()}
	go r.listen(out)
	return r, nil
}

func (r *Reader) listen(out io.Reader) {
	defer close(r.done)
	for in := json.NewDecoder(out); ; {
		var t Tally
		if in.Decode(&t) != nil {
			break // killed, or at its end
		}
		r.mu.Lock()
		r.tally, r.heard = t, time.Now()
		r.mu.Unlock()
	}
	err := r.cmd.Wait()
	r.mu.Lock()
	r.err = err
	r.mu.Unlock()
}

// Tally is what it has seen up to its last pass, and when that ended.
func (r *Reader) Tally() (Tally, time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tally.clone(), r.heard
}

// Signal sends its process a signal.
func (r *Reader) Signal(s os.Signal) error { return r.cmd.Process.Signal(s) }

// Done is closed when the process has ended, for whatever reason.
func (r *Reader) Done() <-chan struct{} { return r.done }

// Err is how the process ended; nil before that.
func (r *Reader) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// ErrHang reports a reader that did not end.
var ErrHang = errors.New("reader hangs")

// Stop ends it after the pass that it is in, and gives what it has seen. One
// that is not done within limit is killed: that is a hang.
func (r *Reader) Stop(limit time.Duration) (Tally, error) {
	r.in.Close()
	return r.Wait(limit)
}

// Wait waits for the end of its passes, otherwise like Stop.
func (r *Reader) Wait(limit time.Duration) (Tally, error) {
	select {
	case <-r.done:
		t, _ := r.Tally()
		return t, r.Err()
	case <-time.After(limit):
		_ = r.cmd.Process.Kill() // it may have ended just now
		t, _ := r.Tally()
		return t, ErrHang
	}
}
