package socket

import "time"

// A Proto is a transport protocol: Linux's struct proto. One value serves all
// its sockets; their state is in the [Sock]. Methods marked "locked" are
// called with the Sock lock held.
//
// Abilities that not every protocol has are the small interfaces below and
// beside what asks for them. What of Linux's entries has no place here, and
// why, is in the table of package families.
type Proto interface {
	// Name is the protocol's, such as "TCP", as /proc/net/protocols has it.
	Name() string
	// Init prepares a fresh Sock; a refused one is not closed. (init)
	Init(sk *Sock) error
	// Close ends the Sock and wakes who waits on it. It may block up to
	// linger, negative being forever, for data to be sent. (close, destroy)
	Close(sk *Sock, linger time.Duration)
	// GetPort binds the Sock to addr, which the family has checked; port 0
	// picks one. EADDRINUSE leaves the Sock as it was. Locked. (get_port)
	GetPort(sk *Sock, addr Sockaddr) error
	// Connect starts a connection and does not wait for it, or sets the peer.
	// Locked. (connect)
	Connect(sk *Sock, addr Sockaddr) error
	// Disconnect returns the Sock to TCP_CLOSE, ready for another connect.
	// Locked. (disconnect)
	Disconnect(sk *Sock) error
	// Shutdown acts on how, of RCV_SHUTDOWN and SEND_SHUTDOWN, after it was
	// noted in the Sock. Locked. (shutdown)
	Shutdown(sk *Sock, how int)
	// State returns the connection's state; sockets without connections are
	// in TCP_ESTABLISHED when they have a peer and in TCP_CLOSE otherwise.
	State(sk *Sock) State
	// Poll returns all events that are there.
	Poll(sk *Sock) EventMask
	// GetName returns the local or the peer's address; see [ProtoOps].
	GetName(sk *Sock, which NameOf) (Sockaddr, error)
	// SockError takes the pending error and returns it, or nil. (sock_error)
	SockError(sk *Sock) error
	// SetSockOpt, GetSockOpt, SendMsg and RecvMsg are as in [ProtoOps].
	SetSockOpt(sk *Sock, level, name int, val []byte) error
	GetSockOpt(sk *Sock, level, name int, val []byte) (int, error)
	SendMsg(sk *Sock, m *Msghdr, flags int) (int, error)
	RecvMsg(sk *Sock, m *Msghdr, flags int) (int, error)
}

// A Listener is a Proto with connections to accept.
type Listener interface {
	// Listen makes the Sock a listener with room for backlog connections, or
	// changes the room. Locked. (inet_csk_listen_start)
	Listen(sk *Sock, backlog int) error
	// Accept takes the next connection, or returns EAGAIN at once.
	Accept(sk *Sock) (*Sock, error)
}

// A Binder is a Proto with a bind of its own, which does all checks, as raw
// sockets have. (bind)
type Binder interface {
	Bind(sk *Sock, addr Sockaddr) error
}

// An Ioctler is a Proto with ioctls of its own, ENOTTY for others. (ioctl)
type Ioctler interface {
	Ioctl(sk *Sock, cmd uint, arg any) error
}

// An OptionWatcher is a Proto that is told when an option of SOL_SOCKET was
// set on a Sock, for instance SO_KEEPALIVE. (keepalive)
type OptionWatcher interface {
	OptionSet(sk *Sock, name int)
}

// A Queuer is a Proto that knows how many bytes wait to be received and to be
// sent or acknowledged.
type Queuer interface {
	Queued(sk *Sock) (receive, send int)
}

// State is a connection's, with the numbers of include/net/tcp_states.h.
type State uint8

// The states of a connection.
const (
	TCP_ESTABLISHED State = 1 + iota
	TCP_SYN_SENT
	TCP_SYN_RECV
	TCP_FIN_WAIT1
	TCP_FIN_WAIT2
	TCP_TIME_WAIT
	TCP_CLOSE
	TCP_CLOSE_WAIT
	TCP_LAST_ACK
	TCP_LISTEN
	TCP_CLOSING
)

var stateNames = [...]string{
	TCP_ESTABLISHED: "ESTAB",
	TCP_SYN_SENT:    "SYN-SENT",
	TCP_SYN_RECV:    "SYN-RECV",
	TCP_FIN_WAIT1:   "FIN-WAIT-1",
	TCP_FIN_WAIT2:   "FIN-WAIT-2",
	TCP_TIME_WAIT:   "TIME-WAIT",
	TCP_CLOSE:       "UNCONN",
	TCP_CLOSE_WAIT:  "CLOSE-WAIT",
	TCP_LAST_ACK:    "LAST-ACK",
	TCP_LISTEN:      "LISTEN",
	TCP_CLOSING:     "CLOSING",
}

// String names the state as ss does.
func (s State) String() string {
	if int(s) < len(stateNames) && stateNames[s] != "" {
		return stateNames[s]
	}
	return "state " + itoa(int(s))
}

// In reports whether the state is one of those given.
func (s State) In(states ...State) bool {
	for _, t := range states {
		if s == t {
			return true
		}
	}
	return false
}
