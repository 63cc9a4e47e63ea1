// Package child runs parts of a program in processes of their own: who serves
// a mount must not use it, and who is to be killed must be alone. It knows
// nothing of what the parts do.
package child

import (
	"fmt"
	"os"
	"os/exec"
)

// roleEnv names the part that a process is.
const roleEnv = "SCAPEFS_TORTURE_ROLE"

// Role is a part: it takes its orders from stdin, answers on stdout, and ends
// at the latest when stdin does.
type Role func(args []string) error

// Command gives the command that runs role of this very program.
func Command(role string, args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), roleEnv+"="+role)
	cmd.Stderr = os.Stderr
	return cmd
}

// Run plays the role that this process was started for, and does not return.
// In any other process it does nothing. Call it first.
func Run(roles map[string]Role) {
	name, ok := os.LookupEnv(roleEnv)
	if !ok {
		return
	}
	role, ok := roles[name]
	if !ok {
		fmt.Fprintf(os.Stderr, "no part %q\n", name)
		os.Exit(2)
	}
	if err := role(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
	os.Exit(0)
}
