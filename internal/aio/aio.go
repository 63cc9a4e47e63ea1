// Package aio reads files while no thread waits: Linux AIO (io_submit(2)), whose
// completions come by way of Go's poller. A thread in pread(2) counts as one that
// runs, and Go takes its processor away only after a while; a goroutine that waits
// here has none.
//
// The kernel reads in the background only what it reads past the page cache, of a
// file opened with O_DIRECT; other reads take place in io_submit, which then holds
// a thread as pread does.
//
// The package knows nothing of what is in the files.
package aio

import (
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// iocb is struct iocb of linux/aio_abi.h, on machines of little endian.
type iocb struct {
	data   uint64
	_      [2]uint32 // key, rw_flags
	opcode uint16
	_      int16 // priority
	fd     uint32
	buf    uint64
	length uint64
	off    int64
	_      uint64
	flags  uint32
	resfd  uint32
}

// ioEvent is struct io_event.
type ioEvent struct {
	data, obj uint64
	res, res2 int64
}

const (
	cmdPread  = 0 // IOCB_CMD_PREAD
	flagResfd = 1 // IOCB_FLAG_RESFD

	reaped = 64 // completions that are fetched at once
)

// read is a read under way.
type read struct {
	buf  []byte // which the kernel writes to
	done chan int64
}

// Queue is a queue of reads. It is safe for concurrent use.
type Queue struct {
	ctx   uintptr  // aio_context_t
	event *os.File // counts completions
	fd    int      // of event

	mu      sync.Mutex
	last    uint64
	reads   map[uint64]*read
	reaping sync.WaitGroup
}

// New makes a queue for depth reads at a time. It fails where the kernel has no
// AIO, does not allow it, or has given all of it away (fs.aio-max-nr).
func New(depth int) (*Queue, error) {
	q := &Queue{reads: make(map[uint64]*read)}
	_, _, no := unix.Syscall(unix.SYS_IO_SETUP, uintptr(depth), uintptr(unsafe.Pointer(&q.ctx)), 0)
	if no != 0 {
		return nil, os.NewSyscallError("io_setup", no)
	}
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, errors.Join(os.NewSyscallError("eventfd", err), q.destroy())
	}
	q.fd, q.event = fd, os.NewFile(uintptr(fd), "eventfd")
	q.reaping.Go(q.reap)
	return q, nil
}

// ReadAt reads from offset off of the file open as fd until p is full or the file
// ends, and gives how many bytes it read. It cannot be interrupted. With O_DIRECT
// the address and the length of p, and off, are multiples of the block size of
// the disk; the error is EINVAL if they are not, and EAGAIN if too many reads are
// under way.
func (q *Queue) ReadAt(fd int, p []byte, off int64) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	r := &read{buf: p, done: make(chan int64, 1)}
	id := q.add(r)
	cb := &iocb{
		data: id, opcode: cmdPread, fd: uint32(fd),
		buf: uint64(uintptr(unsafe.Pointer(&r.buf[0]))), length: uint64(len(p)), off: off,
		flags: flagResfd, resfd: uint32(q.fd),
	}
	if err := q.submit(cb); err != nil {
		q.take(id)
		return 0, err
	}
	res := <-r.done
	runtime.KeepAlive(r)
	if res < 0 {
		return 0, os.NewSyscallError("aio read", syscall.Errno(-res))
	}
	return int(res), nil
}

func (q *Queue) submit(cb *iocb) error {
	list := [1]*iocb{cb}
	for {
		_, _, no := unix.Syscall(unix.SYS_IO_SUBMIT, q.ctx, 1, uintptr(unsafe.Pointer(&list[0])))
		if no == 0 {
			return nil
		}
		if no != unix.EINTR {
			return os.NewSyscallError("io_submit", no)
		}
	}
}

func (q *Queue) add(r *read) uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.last++
	q.reads[q.last] = r
	return q.last
}

func (q *Queue) take(id uint64) *read {
	q.mu.Lock()
	defer q.mu.Unlock()
	r := q.reads[id]
	delete(q.reads, id)
	return r
}

// reap hands out completions until the queue is closed.
func (q *Queue) reap() {
	var count [8]byte
	events := make([]ioEvent, reaped)
	for {
		if _, err := q.event.Read(count[:]); err != nil {
			return
		}
		for left := int64(binary.NativeEndian.Uint64(count[:])); left > 0; {
			n := q.completed(events)
			if n == 0 {
				break
			}
			for _, e := range events[:n] {
				q.take(e.data).done <- e.res
			}
			left -= int64(n)
		}
	}
}

// completed fills events with what has completed, and waits for none.
func (q *Queue) completed(events []ioEvent) int {
	for {
		n, _, no := unix.Syscall6(unix.SYS_IO_GETEVENTS, q.ctx, 0, uintptr(len(events)),
			uintptr(unsafe.Pointer(&events[0])), 0, 0)
		if no == 0 {
			return int(n)
		}
		if no != unix.EINTR {
			return 0 // impossible: the context and the buffer are ours
		}
	}
}

// Close ends the queue. No ReadAt may be running or follow.
func (q *Queue) Close() error {
	err := q.event.Close()
	q.reaping.Wait()
	return errors.Join(err, q.destroy())
}

func (q *Queue) destroy() error {
	if _, _, no := unix.Syscall(unix.SYS_IO_DESTROY, q.ctx, 0, 0); no != 0 {
		return os.NewSyscallError("io_destroy", no)
	}
	return nil
}
