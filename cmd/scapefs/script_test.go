package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/moby/sys/mountinfo"
	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"scapefs": main})
}

// TestScript runs the command as its users do. Scripts that mount are skipped
// where that cannot be done, unless SCAPEFS_REQUIRE=1 forbids it.
func TestScript(t *testing.T) {
	if !canMount() {
		if os.Getenv("SCAPEFS_REQUIRE") == "1" {
			t.Fatal("SCAPEFS_REQUIRE=1, but /dev/fuse cannot be opened")
		}
		t.Log("WARNING: /dev/fuse cannot be opened: the scripts that mount are skipped")
	}
	corpus, err := filepath.Abs("../../testdata")
	if err != nil {
		t.Fatal(err)
	}
	program, err := exec.LookPath("scapefs")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		Deadline:            time.Now().Add(5 * time.Minute),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Condition: func(cond string) (bool, error) {
			if cond == "fuse" {
				return canMount(), nil
			}
			return false, errors.New("unknown condition " + cond)
		},
		Setup: func(env *testscript.Env) error {
			env.Setenv("CORPUS", corpus)
			env.Setenv("SCAPEFS", program)
			env.Defer(func() { checkNoMounts(t, env.WorkDir) })
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code":      cmdCode,
			"flip":      cmdFlip,
			"cut":       cmdCut,
			"await":     cmdAwait,
			"lists":     cmdLists,
			"touch":     cmdTouch,
			"json":      cmdJSON,
			"sameratio": cmdSameRatio,
		},
	})
}

func canMount() bool {
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		return false
	}
	return f.Close() == nil
}

// checkNoMounts fails the test if a mount is left in dir, and takes it down.
func checkNoMounts(t *testing.T, dir string) {
	mounts, err := mountinfo.GetMounts(mountinfo.PrefixFilter(dir))
	if err != nil {
		t.Error(err)
	}
	for _, m := range mounts {
		t.Errorf("left mounted: %s; taken down: %v", m.Mountpoint, unix.Unmount(m.Mountpoint, unix.MNT_DETACH))
	}
}

// code N program args...: the program exits with N.
func cmdCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N program args...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// flip ARCHIVE N: flips a bit in the middle of the payload of chunk N.
func cmdFlip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip archive chunk")
	}
	path := ts.MkAbs(args[0])
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	r, err := openArchive(context.Background(), path)
	ts.Check(err)
	row := r.Index().Rows[n]
	ts.Check(r.Close())
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	ts.Check(err)
	var b [1]byte
	at := row.PayloadPos() + int64(row.PayloadLen)/2
	_, err = f.ReadAt(b[:], at)
	ts.Check(err)
	b[0] ^= 1
	_, err = f.WriteAt(b[:], at)
	ts.Check(errors.Join(err, f.Close()))
}

// cut FILE N: cuts N bytes off the end.
func cmdCut(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: cut file bytes")
	}
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[0]), info.Size()-n))
}

// await GLOB: waits until a file matches.
func cmdAwait(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: await glob")
	}
	for range 3000 {
		found, err := filepath.Glob(ts.MkAbs(args[0]))
		ts.Check(err)
		if len(found) > 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	ts.Fatalf("nothing matches %s after a long wait", args[0])
}

// lists DIR [NAME...]: the folder holds these names and nothing else.
func cmdLists(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: lists dir [name...]")
	}
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(args[1:], " ") {
		ts.Fatalf("%s holds %q, want %q", args[0], got, args[1:])
	}
}

// touch FILE SECONDS: sets the mtime.
func cmdTouch(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: touch file seconds")
	}
	seconds, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	at := time.Unix(seconds, 123456789)
	ts.Check(os.Chtimes(ts.MkAbs(args[0]), at, at))
}

// json KEY...: the last command printed one JSON object with these keys.
func cmdJSON(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("json cannot be negated")
	}
	var object map[string]json.RawMessage
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &object))
	var keys []string
	for k := range object {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	want := slices.Sorted(slices.Values(args))
	if !slices.Equal(keys, want) {
		ts.Fatalf("keys %q, want %q", keys, want)
	}
}

// sameratio ARCHIVE METHOD [LEVEL]: the last command was a bench that gave METHOD
// at LEVEL the ratio that the archive has.
func cmdSameRatio(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: sameratio archive method [level]")
	}
	level := strings.Join(args[2:], "")
	var res benchResult
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &res))
	r, err := openArchive(context.Background(), ts.MkAbs(args[0]))
	ts.Check(err)
	defer r.Close()
	want := ratio(r.Size(), r.StoredSize())
	for _, m := range res.Methods {
		if m.Method == args[1] && m.Level == level && m.Ratio == want {
			return
		}
	}
	ts.Fatalf("no method %s %s of ratio %v", args[1], level, want)
}
