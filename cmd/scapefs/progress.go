package main

import (
	"io"
	"os"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/sys/unix"
)

// bar shows how far work on one file has come, on a terminal. A nil bar shows
// nothing.
type bar struct {
	container *mpb.Progress
	bar       *mpb.Bar
	size      int64
}

// newBar starts a bar for size bytes, if w is a terminal. It must be ended.
func newBar(w io.Writer, name string, size int64) *bar {
	if !isTerminal(w) || size <= 0 {
		return nil
	}
	p := mpb.New(mpb.WithOutput(w))
	return &bar{p, p.AddBar(size,
		mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(name+" ", decor.WCSyncSpaceR), decor.CountersKibiByte("% .1f / % .1f")),
		mpb.AppendDecorators(decor.Percentage(decor.WC{W: 5}), decor.Name(" "), decor.AverageSpeed(decor.SizeB1024(0), "% .1f")),
	), size}
}

// set moves the bar to done of total, which may count other things than bytes.
func (b *bar) set(done, total int64) {
	if b != nil && total > 0 {
		b.bar.SetCurrent(int64(float64(b.size) * float64(done) / float64(total)))
	}
}

// end takes the bar off the terminal.
func (b *bar) end() {
	if b != nil {
		b.bar.Abort(true)
		b.container.Wait()
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
