package fs

import (
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"

	"github.com/moby/sys/mountinfo"
)

// readAheadKB is how far the kernel reads ahead of a sequential reader of the
// mount. It starts at 128, which sends a request for every 64 KiB of a mapped
// file; beyond 4096 nothing was gained, as the mount decodes ahead by itself, and
// the kernel spent more.
const readAheadKB = 4096

// raiseReadAhead raises the kernel's readahead for the mount, and gives what it
// is then, in KiB; 0 if that cannot be told. It takes root; others are told,
// once, what to run.
func raiseReadAhead(log *slog.Logger, mountpoint string) int64 {
	info, err := mountAt(mountpoint)
	if err != nil || info == nil {
		log.Warn("kernel readahead not raised: mount not found", "mountpoint", mountpoint, "error", err)
		return 0
	}
	path := fmt.Sprintf("/sys/class/bdi/%d:%d/read_ahead_kb", info.Major, info.Minor)
	if err := os.WriteFile(path, []byte(strconv.Itoa(readAheadKB)), 0o644); err != nil {
		log.Warn("kernel readahead not raised, sequential reads will be slower; as root, run: "+
			fmt.Sprintf("echo %d > %s", readAheadKB, path), "error", err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	kb, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil {
		return 0
	}
	return kb
}

// mountAt gives the topmost mount at the mountpoint, an absolute path without
// links; nil if there is none. It asks the kernel, not the mount.
func mountAt(mountpoint string) (*mountinfo.Info, error) {
	mounts, err := mountinfo.GetMounts(mountinfo.SingleEntryFilter(mountpoint))
	if err != nil || len(mounts) == 0 {
		return nil, err
	}
	return mounts[len(mounts)-1], nil
}
