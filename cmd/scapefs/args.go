package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v2"
)

// flagsFirst moves the options of a command before its arguments, which is
// where the parser looks for them. A "--" ends the options.
func flagsFirst(app *cli.App, args []string) []string {
	if len(args) < 2 {
		return args
	}
	cmd := app.Command(args[1])
	if cmd == nil {
		return args
	}
	var flags, rest []string
	for i := 2; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			rest = append(rest, args[i+1:]...)
			break
		}
		if len(arg) < 2 || arg[0] != '-' {
			rest = append(rest, arg)
			continue
		}
		flags = append(flags, arg)
		if takesValue(cmd, arg) && i+1 < len(args) {
			i++
			flags = append(flags, args[i])
		}
	}
	return slices.Concat(args[:2], flags, []string{"--"}, rest)
}

// takesValue reports whether the option arg of cmd has its value in the next
// argument.
func takesValue(cmd *cli.Command, arg string) bool {
	if strings.Contains(arg, "=") {
		return false
	}
	name := strings.TrimLeft(arg, "-")
	for _, f := range cmd.Flags {
		if _, isBool := f.(*cli.BoolFlag); !isBool && slices.Contains(f.Names(), name) {
			return true
		}
	}
	return false
}

// wantArgs checks that there are least to most arguments; most < 0 is any
// number.
func wantArgs(c *cli.Context, least, most int) error {
	n := c.NArg()
	if n >= least && (n <= most || most < 0) {
		return nil
	}
	problem := "too few arguments"
	if n > least {
		problem = fmt.Sprintf("unexpected argument %q", c.Args().Get(most))
	}
	return usagef("%s: %s (usage: scapefs %s %s)", c.Command.Name, problem, c.Command.Name, c.Command.ArgsUsage)
}

// byteSize is the value of an option that is a number of bytes, as 1048576,
// 512MiB or 1.5GB.
type byteSize int64

func (b *byteSize) Set(s string) error {
	n, err := humanize.ParseBytes(s)
	if err != nil || n > math.MaxInt64 {
		return fmt.Errorf("%q is not a size: give bytes, or a number with KiB, MiB, GiB", s)
	}
	*b = byteSize(n)
	return nil
}

func (b *byteSize) String() string {
	if *b == 0 {
		return ""
	}
	return humanize.IBytes(uint64(*b))
}

// sizeFlag is an option that is a number of bytes.
func sizeFlag(name, usage string, size *byteSize) cli.Flag {
	return &cli.GenericFlag{Name: name, Usage: usage, Value: size}
}

// oneEach is how many jobs there are if nothing else is said.
const oneEach = "one for each processor"

func jobsFlag(otherwise string) cli.Flag {
	return &cli.IntFlag{Name: "jobs", Usage: "work on `N` chunks at once", DefaultText: otherwise}
}

func jobs(c *cli.Context) (int, error) {
	n := c.Int("jobs")
	if n < 0 || c.IsSet("jobs") && n == 0 {
		return 0, usagef("--jobs %d: give a positive number", n)
	}
	return n, nil
}
