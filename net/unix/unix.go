package unix

import (
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/socket"
)

// Register registers AF_UNIX (Linux af_unix_init).
func Register() error {
	return socket.Register(&socket.Family{Number: socket.AF_UNIX, Name: "AF_UNIX", Create: create, Protos: protos})
}

func protos() []socket.Proto { return []socket.Proto{StreamProt, DgramProt, SeqpacketProt} }

// Unregister removes the family. EBUSY while sockets of it are open.
func Unregister() error { return socket.Unregister(socket.AF_UNIX) }

// create is Linux's unix_create. The errors are EPROTONOSUPPORT for a
// protocol other than 0 and PF_UNIX, and ESOCKTNOSUPPORT for a type that is
// not there. SOCK_RAW is SOCK_DGRAM.
func create(s *socket.Socket, protocol int, _ bool) error {
	if protocol != 0 && protocol != socket.AF_UNIX {
		return errno.EPROTONOSUPPORT
	}
	var prot socket.Proto
	switch s.Type {
	case socket.SOCK_STREAM:
		s.Ops, prot = StreamOps, StreamProt
	case socket.SOCK_RAW, socket.SOCK_DGRAM:
		s.Type = socket.SOCK_DGRAM
		s.Ops, prot = DgramOps, DgramProt
	case socket.SOCK_SEQPACKET:
		s.Ops, prot = SeqpacketOps, SeqpacketProt
	default:
		return errno.ESOCKTNOSUPPORT
	}
	s.Sk = &newSock(s, prot).Sock
	return nil
}

// A sock is AF_UNIX's part of a Sock: Linux's struct unix_sock.
type sock struct {
	socket.Sock

	table *table
	task  *socket.Task // whose identity the peer sees

	state    atomic.Uint32 // socket.State
	peer     atomic.Pointer[sock]
	addr     atomic.Pointer[address]
	peerCred atomic.Pointer[socket.Ucred]
	listener *sock // of an accepted connection; set before it is seen

	q queue

	// wmem is what the Sock has sent and nobody has received, in bytes with
	// their overhead (sk_wmem_alloc).
	wmem atomic.Int64

	// peerWait holds those that wait for room in this Sock's queue
	// (peer_wait). relay is this Sock's own entry in its peer's peerWait.
	peerWait waiter.Queue
	relay    waiter.Entry

	// relayed is where relay is registered. Guarded by the table's lock.
	relayed *sock
}

func of(sk *socket.Sock) *sock { return sk.Impl.(*sock) }

// newSock is Linux's unix_create1.
func newSock(s *socket.Socket, prot socket.Proto) *sock {
	u := &sock{table: tableOf(s.Task.Net), task: s.Task}
	u.Sock.Impl = u
	socket.InitSock(&u.Sock, s, 0, prot)
	u.setState(socket.TCP_CLOSE)
	u.q.backlog.Store(u.table.maxDgramQlen.Load())
	u.relay.Init(relay{u}, socket.POLLOUT)
	return u
}

// relay wakes a Sock that waits for room in another's queue (unix_dgram_
// peer_wake_relay).
type relay struct{ *sock }

// NotifyEvent implements waiter.EventListener.
func (r relay) NotifyEvent(socket.EventMask) { r.WQ.Notify(waiter.WritableEvents) }

func (u *sock) getState() socket.State      { return socket.State(u.state.Load()) }
func (u *sock) setState(st socket.State)    { u.state.Store(uint32(st)) }
func (u *sock) is(st socket.State) bool     { return u.getState() == st }
func (u *sock) setPeerCred(c *socket.Ucred) { u.peerCred.Store(c) }

// connectionBased reports whether the Sock has connections.
func (u *sock) connectionBased() bool { return u.Type != socket.SOCK_DGRAM }

// setPeer makes peer, which may be nil, the Sock's peer and returns the one
// before. Called with the table locked.
func (u *sock) setPeer(peer *sock) *sock {
	if u.relayed != nil {
		u.relayed.peerWait.EventUnregister(&u.relay)
	}
	u.relayed = nil
	if peer != nil && u.Type == socket.SOCK_DGRAM {
		u.relayed = peer
		peer.peerWait.EventRegister(&u.relay)
	}
	return u.peer.Swap(peer)
}

// sndBuf is the limit on wmem in bytes.
func (u *sock) sndBuf() int {
	if n := u.SndBuf(); n != 0 {
		return n
	}
	return u.Net.Memory().Datagram.Default
}

// writable is Linux's unix_writable: a quarter is in use at most.
func (u *sock) writable() bool {
	return !u.is(socket.TCP_LISTEN) && u.wmem.Load()<<2 <= int64(u.sndBuf())
}

// uncharge gives back what a message of u had in use (unix_write_space).
func (u *sock) uncharge(n int) {
	if u.wmem.Add(int64(-n))<<2 <= int64(u.sndBuf()) {
		u.WQ.Notify(waiter.WritableEvents)
	}
}
