package unix

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/socket"
)

// sizeofFamily is offsetof(struct sockaddr_un, sun_path).
const sizeofFamily = 2

// An address is a name in use: Linux's struct unix_address.
type address struct {
	name     socket.Sockaddr
	abstract bool
	key      string // the path, or the abstract name without its leading zero
}

// parse is Linux's unix_validate_addr and unix_mkname_bsd: a path ends at its
// first zero, an abstract name is all that there is. The error is EINVAL for
// another family, no name, or too long a one.
func parse(addr socket.Sockaddr) (*address, error) {
	if addr.Len <= sizeofFamily || addr.Len > socket.SizeofSockaddrUn || addr.Family != socket.AF_UNIX {
		return nil, errno.EINVAL
	}
	name := addr.Data
	if n := int(addr.Len) - sizeofFamily; len(name) > n {
		name = name[:n]
	} else if len(name) < n {
		name += strings.Repeat("\x00", n-len(name))
	}
	if name[0] == 0 {
		return &address{name: addr, abstract: true, key: name[1:]}, nil
	}
	path, _, _ := strings.Cut(name, "\x00")
	return &address{name: socket.SockaddrUnix(path), key: path}, nil
}

// A table is the names of one network. Paths are names like the others: there
// are no files and no folders. As on Linux a path stays when its socket is
// closed, until [Unlink] removes it.
type table struct {
	// maxDgramQlen is how many datagrams a new socket's queue holds
	// (net.unix.max_dgram_qlen).
	maxDgramQlen atomic.Int32

	// mu guards the names and who is whose peer.
	mu       sync.RWMutex
	abstract map[abstractKey]*sock
	paths    map[string]*sock // nil once the socket has gone
	ordinal  uint32           // of the last autobind
}

// abstractKey is an abstract name, of which each type of socket has its own.
type abstractKey struct {
	name string
	typ  int
}

// defaultDgramQlen is Linux's first value of net.unix.max_dgram_qlen.
const defaultDgramQlen = 10

type tableKey struct{}

func tableOf(net *netdev.Stack) *table {
	return net.Generic(tableKey{}, func() any {
		t := &table{abstract: map[abstractKey]*sock{}, paths: map[string]*sock{}}
		t.maxDgramQlen.Store(defaultDgramQlen)
		return t
	}).(*table)
}

// SetMaxDgramQlen sets how many datagrams wait in a socket made from now on
// (net.unix.max_dgram_qlen).
func SetMaxDgramQlen(net *netdev.Stack, n int) { tableOf(net).maxDgramQlen.Store(int32(n)) }

// Unlink removes a path, as unlink(2) does: the socket bound to it stays open
// but cannot be found, and the path can be bound again. ENOENT if it is not
// there.
func Unlink(net *netdev.Stack, path string) error {
	t := tableOf(net)
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.paths[path]; !ok {
		return fmt.Errorf("unix: unlink %q: %w", path, errno.ENOENT)
	}
	delete(t.paths, path)
	return nil
}

// bind gives u a name. The errors are EADDRINUSE and, for a Sock that has a
// name, EINVAL (unix_bind_bsd, unix_bind_abstract).
func (t *table) bind(u *sock, a *address) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if a.abstract {
		if u.addr.Load() != nil {
			return errno.EINVAL
		}
		return t.bindAbstract(u, a)
	}
	if _, ok := t.paths[a.key]; ok {
		// The file is made before the socket is looked at.
		return errno.EADDRINUSE
	}
	if u.addr.Load() != nil {
		return errno.EINVAL
	}
	t.paths[a.key] = u
	u.addr.Store(a)
	return nil
}

func (t *table) bindAbstract(u *sock, a *address) error {
	key := abstractKey{a.key, u.Type}
	if t.abstract[key] != nil {
		return errno.EADDRINUSE
	}
	t.abstract[key] = u
	u.addr.Store(a)
	return nil
}

// ordinals is how many names there are to autobind to: five hexadecimal
// digits.
const ordinals = 1 << 20

// autobind gives u a free abstract name of five digits, if it has none: Linux's
// unix_autobind. ENOSPC when all are taken.
func (t *table) autobind(u *sock) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if u.addr.Load() != nil {
		return nil
	}
	for range ordinals {
		t.ordinal = (t.ordinal + 1) % ordinals
		a, err := parse(socket.SockaddrUnix(fmt.Sprintf("\x00%05x", t.ordinal)))
		if err != nil {
			return err
		}
		if t.bindAbstract(u, a) == nil {
			return nil
		}
	}
	return errno.ENOSPC
}

// find is Linux's unix_find_other. The errors are ENOENT for a path that is
// not there, ECONNREFUSED for a name that no socket has, and EPROTOTYPE for a
// path whose socket is of another type.
func (t *table) find(a *address, typ int) (*sock, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if a.abstract {
		if u := t.abstract[abstractKey{a.key, typ}]; u != nil {
			return u, nil
		}
		return nil, errno.ECONNREFUSED
	}
	u, ok := t.paths[a.key]
	switch {
	case !ok:
		return nil, errno.ENOENT
	case u == nil:
		return nil, errno.ECONNREFUSED
	case u.Type != typ:
		return nil, errno.EPROTOTYPE
	}
	return u, nil
}

// forget takes u's name out of use. Called with the table locked.
func (t *table) forget(u *sock) {
	a := u.addr.Load()
	if a == nil || u.listener != nil {
		return // an accepted connection has its listener's name
	}
	if a.abstract {
		delete(t.abstract, abstractKey{a.key, u.Type})
	} else if t.paths[a.key] == u {
		t.paths[a.key] = nil
	}
}
