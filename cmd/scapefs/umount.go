package main

import (
	"github.com/urfave/cli/v2"

	"github.com/scapefs/scapefs/fs"
)

func umountCommand() *cli.Command {
	return &cli.Command{
		Name:        "umount",
		Usage:       "take a mount down",
		ArgsUsage:   "MOUNTPOINT",
		Description: "A mount in use is detached: it is gone at once, and ends with its last reader.\nA dead mount, whose process was killed, is cleared away.",
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 1, 1); err != nil {
				return err
			}
			return fs.Unmount(c.Args().First())
		},
	}
}
