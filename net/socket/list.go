package socket

import (
	"fmt"
	"io"
)

// Info describes an open socket as a line of ss does.
type Info struct {
	Family   int
	Type     int
	Protocol string // the protocol's name, such as "TCP"
	State    State
	RecvQ    int // bytes received and not read; for a listener, not known
	SendQ    int // bytes sent and not acknowledged, or not yet sent
	Local    Sockaddr
	Peer     Sockaddr // the zero Sockaddr when not connected
}

// Sockets lists the open sockets of all tasks, the newest first.
func Sockets() []Info {
	socks := sockets()
	list := make([]Info, 0, len(socks))
	for _, s := range socks {
		list = append(list, s.info())
	}
	return list
}

// EachSock calls f with the Sock of every open socket, of all tasks.
func EachSock(f func(sk *Sock)) {
	for _, s := range sockets() {
		f(s.Sk)
	}
}

// sockets returns the open sockets of all tasks, the newest first.
func sockets() []*Socket {
	open.Lock()
	defer open.Unlock()
	socks := make([]*Socket, 0, open.count)
	for s := open.first; s != nil; s = s.next {
		socks = append(socks, s)
	}
	return socks
}

func (s *Socket) info() Info {
	sk := s.Sk
	i := Info{Family: s.Family, Type: s.Type, Protocol: sk.Prot.Name(), State: sk.Prot.State(sk)}
	i.Local, _ = sk.Prot.GetName(sk, LocalName)
	i.Peer, _ = sk.Prot.GetName(sk, PeerName)
	if q, ok := sk.Prot.(Queuer); ok {
		i.RecvQ, i.SendQ = q.Queued(sk)
	}
	return i
}

// WriteSockets writes the list of [Sockets] as a table.
func WriteSockets(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "%-6s %-11s %7s %7s %24s %24s\n", "Netid", "State", "Recv-Q", "Send-Q", "Local", "Peer"); err != nil {
		return err
	}
	for _, i := range Sockets() {
		peer := "*:*"
		if i.Peer.Family != AF_UNSPEC {
			peer = i.Peer.String()
		}
		if _, err := fmt.Fprintf(w, "%-6s %-11s %7d %7d %24s %24s\n", i.Protocol, i.State, i.RecvQ, i.SendQ, i.Local, peer); err != nil {
			return err
		}
	}
	return nil
}

// Count returns the number of open sockets.
func Count() int {
	open.Lock()
	defer open.Unlock()
	return open.count
}
