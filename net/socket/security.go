package socket

import (
	"slices"
	"sync"
	"sync/atomic"
)

// Security decides on socket calls: Linux's security_socket_* hooks. A hook
// returns nil to let the call pass, or the error that it fails with, such as
// errno.EACCES. Hooks run on the caller's goroutine, before the operation,
// with no lock held, and several at once. Embed [AllowAll] for the rest.
type Security interface {
	// SocketCreate runs before anything is made; SocketPostCreate sees the
	// socket, which is released again if it refuses. kern tells the kernel's
	// own sockets.
	SocketCreate(family, typ, protocol int, kern bool) error
	SocketPostCreate(s *Socket, protocol int, kern bool) error
	SocketBind(s *Socket, addr Sockaddr) error
	SocketConnect(s *Socket, addr Sockaddr) error
	SocketListen(s *Socket, backlog int) error
	SocketAccept(s, newsock *Socket) error
	SocketSendMsg(s *Socket, m *Msghdr, size int) error
	SocketRecvMsg(s *Socket, m *Msghdr, size, flags int) error
	SocketGetName(s *Socket, which NameOf) error
	SocketSetSockOpt(s *Socket, level, name int) error
	SocketGetSockOpt(s *Socket, level, name int) error
	SocketShutdown(s *Socket, how int) error
	SocketIoctl(s *Socket, cmd uint, arg any) error
}

// AllowAll lets every call pass.
type AllowAll struct{}

var _ Security = AllowAll{}

// SocketCreate passes, as do the others.
func (AllowAll) SocketCreate(int, int, int, bool) error { return nil }

// SocketPostCreate passes.
func (AllowAll) SocketPostCreate(*Socket, int, bool) error { return nil }

// SocketBind passes.
func (AllowAll) SocketBind(*Socket, Sockaddr) error { return nil }

// SocketConnect passes.
func (AllowAll) SocketConnect(*Socket, Sockaddr) error { return nil }

// SocketListen passes.
func (AllowAll) SocketListen(*Socket, int) error { return nil }

// SocketAccept passes.
func (AllowAll) SocketAccept(*Socket, *Socket) error { return nil }

// SocketSendMsg passes.
func (AllowAll) SocketSendMsg(*Socket, *Msghdr, int) error { return nil }

// SocketRecvMsg passes.
func (AllowAll) SocketRecvMsg(*Socket, *Msghdr, int, int) error { return nil }

// SocketGetName passes.
func (AllowAll) SocketGetName(*Socket, NameOf) error { return nil }

// SocketSetSockOpt passes.
func (AllowAll) SocketSetSockOpt(*Socket, int, int) error { return nil }

// SocketGetSockOpt passes.
func (AllowAll) SocketGetSockOpt(*Socket, int, int) error { return nil }

// SocketShutdown passes.
func (AllowAll) SocketShutdown(*Socket, int) error { return nil }

// SocketIoctl passes.
func (AllowAll) SocketIoctl(*Socket, uint, any) error { return nil }

// chain holds the registered hooks, nil when there are none.
var chain atomic.Pointer[[]Security]

var chainMu sync.Mutex

// AddSecurity appends h to the chain; the first hook that refuses decides.
// The function returned removes h again. Calls under way may still ask it.
func AddSecurity(h Security) (remove func()) {
	entry := &struct{ Security }{h}
	chainMu.Lock()
	defer chainMu.Unlock()
	var list []Security
	if p := chain.Load(); p != nil {
		list = slices.Clone(*p)
	}
	list = append(list, entry)
	chain.Store(&list)
	return func() {
		chainMu.Lock()
		defer chainMu.Unlock()
		p := chain.Load()
		if p == nil {
			return
		}
		rest := slices.DeleteFunc(slices.Clone(*p), func(e Security) bool { return e == Security(entry) })
		if len(rest) == 0 {
			chain.Store(nil)
			return
		}
		chain.Store(&rest)
	}
}

// hooked asks every hook until one refuses. With no hooks it costs one load.
func hooked(ask func(Security) error) error {
	p := chain.Load()
	if p == nil {
		return nil
	}
	for _, h := range *p {
		if err := ask(h); err != nil {
			return err
		}
	}
	return nil
}
