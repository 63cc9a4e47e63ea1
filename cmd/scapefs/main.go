// Command scapefs packs model weights losslessly, and mounts a folder of
// archives as the plain files they came from.
//
// Each subcommand has a file of its own. The command knows how to talk to
// people: arguments, progress, errors, exit codes. What it does it leaves to
// archive and fs.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole program. It gives the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	app := newApp(stdout, stderr)
	err := app.RunContext(ctx, flagsFirst(app, args))
	report(stderr, err)
	return exitCode(err)
}

func newApp(stdout, stderr io.Writer) *cli.App {
	app := &cli.App{
		Name:            "scapefs",
		Usage:           "store model weights compressed, and mount them as plain files",
		HideVersion:     true,
		HideHelpCommand: true,
		Writer:          stdout,
		ErrWriter:       stderr,
		Action:          noCommand,
		OnUsageError:    onUsageError,
		ExitErrHandler:  func(*cli.Context, error) {}, // run reports
		Commands: []*cli.Command{
			packCommand(), unpackCommand(), verifyCommand(), infoCommand(),
			mountCommand(), umountCommand(), statusCommand(), warmupCommand(),
			benchCommand(), atlasCommand(), demoCommand(),
			demoReadCommand(), trainCommand(), versionCommand(),
		},
	}
	for _, c := range app.Commands {
		c.OnUsageError = onUsageError
		c.HideHelpCommand = true
	}
	return app
}

func noCommand(c *cli.Context) error {
	if name := c.Args().First(); name != "" {
		return usagef("there is no command %q: see scapefs --help", name)
	}
	return usagef("no command given: see scapefs --help")
}

func onUsageError(_ *cli.Context, err error, _ bool) error {
	return usagef("%v", err)
}
