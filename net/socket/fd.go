package socket

import (
	"sync"
	"sync/atomic"

	"github.com/tamanet/tamanet/net/errno"
)

// DefaultNoFile is the number of descriptors a task may have unless set
// otherwise (Linux RLIMIT_NOFILE's usual soft limit).
const DefaultNoFile = 1024

// A fdTable maps descriptors to files: Linux's struct files_struct. A look-up
// takes no lock. A number is given out again only when its slot is empty and
// no call entered through it is still inside.
type fdTable struct {
	slots atomic.Pointer[[]*fdSlot]

	mu    sync.Mutex
	limit int // 0 means DefaultNoFile
	hint  int // every number below is taken
}

type fdSlot struct {
	file    atomic.Pointer[file]
	calls   atomic.Int32 // calls inside through this descriptor
	cloexec atomic.Bool
}

// lookup returns the file of fd with a reference, and the slot that the call
// is inside of; the caller gives both back with leave. EBADF if fd is closed.
func (t *fdTable) lookup(fd int) (*fdSlot, *file, error) {
	slots := t.slots.Load()
	if slots == nil || fd < 0 || fd >= len(*slots) {
		return nil, nil, errno.EBADF
	}
	slot := (*slots)[fd]
	slot.calls.Add(1)
	if f := slot.file.Load(); f != nil && f.get() {
		return slot, f, nil
	}
	slot.calls.Add(-1)
	return nil, nil, errno.EBADF
}

func leave(slot *fdSlot, f *file) {
	f.put()
	slot.calls.Add(-1)
}

// install gives f the lowest free number from min on and counts one more
// descriptor of f. The reference is the caller's own and becomes the table's.
// EMFILE leaves f as it was.
func (t *fdTable) install(f *file, min int, cloexec bool) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	limit := t.limit
	if limit == 0 {
		limit = DefaultNoFile
	}
	fd, slot := t.free(max(min, t.hint))
	if fd >= limit {
		return -1, errno.EMFILE
	}
	if slot == nil {
		slot = t.grow(fd)
	}
	slot.cloexec.Store(cloexec)
	f.fds.Add(1)
	slot.file.Store(f)
	if fd == t.hint {
		t.hint++
	}
	return fd, nil
}

// free finds the lowest number from min on that may be given out, and its
// slot if it has one.
func (t *fdTable) free(min int) (int, *fdSlot) {
	slots := t.slots.Load()
	if slots == nil {
		return min, nil
	}
	for fd := min; fd < len(*slots); fd++ {
		slot := (*slots)[fd]
		if slot.file.Load() == nil && slot.calls.Load() == 0 {
			return fd, slot
		}
	}
	return max(min, len(*slots)), nil
}

// grow extends the table to hold fd and returns its slot. Slots keep their
// place in memory, so that look-ups under way stay right.
func (t *fdTable) grow(fd int) *fdSlot {
	var old []*fdSlot
	if p := t.slots.Load(); p != nil {
		old = *p
	}
	slots := make([]*fdSlot, max(fd+1, 2*len(old), 16))
	copy(slots, old)
	fresh := make([]fdSlot, len(slots)-len(old))
	for i := range fresh {
		slots[len(old)+i] = &fresh[i]
	}
	t.slots.Store(&slots)
	return slots[fd]
}

// remove empties fd's slot and returns its file with the table's reference.
func (t *fdTable) remove(fd int) (*file, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	slots := t.slots.Load()
	if slots == nil || fd < 0 || fd >= len(*slots) {
		return nil, errno.EBADF
	}
	f := (*slots)[fd].file.Swap(nil)
	if f == nil {
		return nil, errno.EBADF
	}
	t.hint = min(t.hint, fd)
	return f, nil
}

// SetNoFile sets how many descriptors the task may have (RLIMIT_NOFILE).
// Those that it has already are not closed.
func (t *Task) SetNoFile(limit int) {
	t.fds.mu.Lock()
	t.fds.limit = max(limit, 1)
	t.fds.mu.Unlock()
}

// sockfdLookup is Linux's sockfd_lookup_light: lookup, with ENOTSOCK for what
// is no socket.
func (t *Task) sockfdLookup(fd int) (*fdSlot, *file, error) {
	slot, f, err := t.fds.lookup(fd)
	if err == nil && f.socket == nil {
		leave(slot, f)
		return nil, nil, errno.ENOTSOCK
	}
	return slot, f, err
}

// sockMapFD gives s a descriptor with the flags of SOCK_CLOEXEC and
// SOCK_NONBLOCK in flags (sock_map_fd). EMFILE leaves s as it was.
func (t *Task) sockMapFD(s *Socket, flags int) (int, error) {
	f := &file{socket: s}
	f.flags.Store(uint32(O_RDWR | flags&SOCK_NONBLOCK))
	f.refs.Store(1)
	return t.fds.install(f, 0, flags&SOCK_CLOEXEC != 0)
}

// Dup returns the lowest free descriptor for fd's file. The two share status
// flags; close-on-exec is off. EBADF, EMFILE.
func (t *Task) Dup(fd int) (int, error) {
	slot, f, err := t.fds.lookup(fd)
	if err != nil {
		return -1, err
	}
	defer leave(slot, f)
	f.refs.Add(1)
	nfd, err := t.fds.install(f, 0, false)
	if err != nil {
		f.refs.Add(-1)
	}
	return nfd, err
}

// GetFlags returns fd's O_RDWR and O_NONBLOCK (fcntl F_GETFL).
func (t *Task) GetFlags(fd int) (int, error) {
	slot, f, err := t.fds.lookup(fd)
	if err != nil {
		return 0, err
	}
	defer leave(slot, f)
	return int(f.flags.Load()), nil
}

// SetNonblock turns fd's O_NONBLOCK on or off (fcntl F_SETFL).
func (t *Task) SetNonblock(fd int, on bool) error {
	slot, f, err := t.fds.lookup(fd)
	if err != nil {
		return err
	}
	defer leave(slot, f)
	if on {
		f.flags.Or(O_NONBLOCK)
	} else {
		f.flags.And(^uint32(O_NONBLOCK))
	}
	return nil
}

// Cloexec returns fd's close-on-exec flag (fcntl F_GETFD). Nothing execs
// here; the flag is only kept.
func (t *Task) Cloexec(fd int) (bool, error) {
	slot, f, err := t.fds.lookup(fd)
	if err != nil {
		return false, err
	}
	defer leave(slot, f)
	return slot.cloexec.Load(), nil
}

// SetCloexec sets fd's close-on-exec flag (fcntl F_SETFD).
func (t *Task) SetCloexec(fd int, on bool) error {
	slot, f, err := t.fds.lookup(fd)
	if err != nil {
		return err
	}
	defer leave(slot, f)
	slot.cloexec.Store(on)
	return nil
}

// SocketOf returns the socket of fd, for calls that have no descriptor form.
// It stays the descriptor's: use it no longer than fd is open.
func (t *Task) SocketOf(fd int) (*Socket, error) {
	slot, f, err := t.sockfdLookup(fd)
	if err != nil {
		return nil, err
	}
	defer leave(slot, f)
	return f.socket, nil
}
