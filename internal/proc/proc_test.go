package proc

import (
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"
)

func TestOfSelf(t *testing.T) {
	memory := make([]byte, 64<<20)
	for i := range memory {
		memory[i] = 1
	}
	u, err := Of(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if u.Peak < int64(len(memory)) || u.Resident <= 0 || u.Resident > u.Peak+(16<<20) {
		t.Errorf("resident %d, peak %d, with %d bytes in use", u.Resident, u.Peak, len(memory))
	}
	if u.Threads < 1 || u.Files < 3 {
		t.Errorf("%d threads, %d files", u.Threads, u.Files)
	}
	if memory[1] != 1 {
		t.Error("memory")
	}
}

// The times of a process go up as it works.
func TestTimesGoUp(t *testing.T) {
	begin, err := Of(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	user, kernel, err := Machine()
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(time.Minute)
	for {
		u, err := Of(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		mu, mk, err := Machine()
		if err != nil {
			t.Fatal(err)
		}
		if u.CPU() > begin.CPU() && mu+mk > user+kernel {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("a process that works all the time has used none")
		}
	}
}

func TestFind(t *testing.T) {
	cmd := exec.Command("sleep", "61.5")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	pids, err := Find(func(args []string) bool { return len(args) == 2 && args[1] == "61.5" })
	if err != nil || !slices.Contains(pids, cmd.Process.Pid) {
		t.Errorf("found %v, %v; want %d", pids, err, cmd.Process.Pid)
	}
	if _, err := Daemon("/no/such/mount"); err == nil {
		t.Error("found the daemon of no mount")
	}
}

func TestOfNobody(t *testing.T) {
	if _, err := Of(1 << 30); err == nil {
		t.Error("no error")
	}
}
