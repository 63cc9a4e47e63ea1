package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/scapefs/scapefs/internal/cgroup"
	"github.com/scapefs/scapefs/internal/proc"
)

// bigRun is what came of many readers of one large file in a container that is
// far smaller than the file.
type bigRun struct {
	sample
	Limit int64 `json:"limit_bytes"` // of the container: the daemon, the readers, their page cache
	Cache int64 `json:"cache_size"`  // that the daemon chose
	Peak  int64 `json:"daemon_peak_bytes"`
	Kills int64 `json:"oom_kills"`
}

const (
	bigLimit   = 512 << 20
	bigReaders = 32
)

// big has the readers read a file of so many GiB.
func (b *bench) big(ctx context.Context, gib int) (run *bigRun, err error) {
	packed := filepath.Join(filepath.Dir(b.plain), fmt.Sprintf("big-%d", gib))
	if err := once(packed, func(path string) error { return b.makeBig(ctx, path, gib) }); err != nil {
		return nil, err
	}
	group, err := cgroup.New(cgroup.Limits{Memory: bigLimit})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, group.Close()) }()
	if err := dropCaches(); err != nil {
		return nil, err
	}
	if err := runCommand(group.Command(ctx, b.opt.scapefs, "mount", packed, b.point)); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, output(context.Background(), b.opt.scapefs, "umount", b.point)) }()
	status, err := b.status(ctx)
	if err != nil {
		return nil, err
	}
	run = &bigRun{Limit: bigLimit, Cache: status.CacheLimit}
	cmd := group.Command(ctx, os.Args[0], readCommand, "stripes32", b.point)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(out, &run.sample); err != nil {
		return nil, err
	}
	used, err := proc.Of(status.PID)
	if err != nil {
		return nil, fmt.Errorf("the daemon has died: %w", err)
	}
	run.Peak = used.Peak
	run.Kills, err = group.OOMKills()
	return run, err
}

// makeBig packs one file, the model's data over and over. As often as it comes
// again it lies differently in chunks and rows, so that nothing is found to be a
// repetition.
func (b *bench) makeBig(ctx context.Context, dir string, gib int) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	plain := filepath.Join(dir, "big.safetensors")
	if err := b.repeatModel(plain, int64(gib)<<30); err != nil {
		return errors.Join(err, os.RemoveAll(plain))
	}
	return output(ctx, b.opt.scapefs, "pack", "--level", "fast", "--replace", plain)
}

func (b *bench) repeatModel(path string, size int64) (err error) {
	shards, err := shardsOf(b.plain)
	if err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<20)
	var list []matrix
	for n := int64(0); n < size/layerBytes; n++ {
		list = append(list, layer(int(n))...)
	}
	if err := writeEntries(w, list); err != nil {
		return err
	}
	const odd = 2 * 7919 // bytes left out each time
	for left := size / layerBytes * layerBytes; left > 0; {
		for i := 0; i < len(shards) && left > 0; i++ {
			n, err := appendFile(w, shards[i], odd+int64(i)*16, left)
			if err != nil {
				return err
			}
			left -= n
		}
	}
	return w.Flush()
}

// appendFile copies the file at path from its offset skip on, most bytes at most.
func appendFile(w io.Writer, path string, skip, most int64) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if _, err := f.Seek(skip, io.SeekStart); err != nil {
		return 0, err
	}
	return io.Copy(w, io.LimitReader(f, most))
}

// stripes has 32 readers read the one file of a folder, a part each.
func stripes(dir string, c *clock) error {
	names, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(names) != 1 {
		return fmt.Errorf("%d files in %s, want one", len(names), dir)
	}
	f, err := os.Open(filepath.Join(dir, names[0].Name()))
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	part := (info.Size() + bigReaders - 1) / bigReaders
	return inParallel(bigReaders, bigReaders, func(i int) error {
		begin := int64(i) * part
		return readAll(io.NewSectionReader(f, begin, max(0, min(part, info.Size()-begin))), c)
	})
}
