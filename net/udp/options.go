package udp

import (
	"sync"
	"sync/atomic"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/inet"
	"github.com/tamanet/tamanet/net/socket"
)

// Options of level SOL_UDP (include/uapi/linux/udp.h).
const (
	UDP_CORK         = 1
	UDP_ENCAP        = 100
	UDP_NO_CHECK6_TX = 101
	UDP_NO_CHECK6_RX = 102
	UDP_SEGMENT      = inet.UDPSegment
	UDP_GRO          = 104
)

// maxSegments is how many datagrams one send may be cut into
// (UDP_MAX_SEGMENTS).
const maxSegments = 128

// sock is UDP's part of a Sock: Linux's struct udp_sock.
type sock struct {
	noCheck6Tx, noCheck6Rx, gro atomic.Bool
	segment                     atomic.Int32
	corked                      atomic.Bool // UDP_CORK

	// pending is set while data waits for the rest of its datagram.
	pending atomic.Bool
	mu      sync.Mutex
	data    []byte           // guarded by mu
	to      *socket.Sockaddr // where data goes; nil is the peer
}

func of(sk *socket.Sock) *sock { return inet.Of(sk).Impl.(*sock) }

// Options is the table of level SOL_UDP (udp_lib_setsockopt).
var Options = socket.NewOptionTable(
	option(UDP_CORK, "UDP_CORK", setCork, func(u *sock) int { return socket.BoolInt(u.corked.Load()) }),
	option(UDP_SEGMENT, "UDP_SEGMENT", setSegment, func(u *sock) int { return int(u.segment.Load()) }),
	flag(UDP_NO_CHECK6_TX, "UDP_NO_CHECK6_TX", func(u *sock) *atomic.Bool { return &u.noCheck6Tx }),
	flag(UDP_NO_CHECK6_RX, "UDP_NO_CHECK6_RX", func(u *sock) *atomic.Bool { return &u.noCheck6Rx }),
	gro(),
	socket.Option{Level: socket.SOL_UDP, Name: UDP_ENCAP, Label: "UDP_ENCAP", State: socket.OptionRefused, Why: "there is no IPsec"},
)

func option(name int, label string, set func(sk *socket.Sock, v int) error, get func(u *sock) int) socket.Option {
	s, g := socket.IntOption(set, func(sk *socket.Sock) int { return get(of(sk)) })
	return socket.Option{Level: socket.SOL_UDP, Name: name, Label: label, Set: s, Get: g}
}

func flag(name int, label string, field func(u *sock) *atomic.Bool) socket.Option {
	return option(name, label,
		func(sk *socket.Sock, v int) error { field(of(sk)).Store(v != 0); return nil },
		func(u *sock) int { return socket.BoolInt(field(u).Load()) })
}

func gro() socket.Option {
	o := flag(UDP_GRO, "UDP_GRO", func(u *sock) *atomic.Bool { return &u.gro })
	o.Why = "of what UDP_SEGMENT sends within this machine; a device's datagrams are delivered one by one"
	return o
}

// setCork sends what waited when the cork is drawn (udp_push_pending_frames).
func setCork(sk *socket.Sock, v int) error {
	u := of(sk)
	u.corked.Store(v != 0)
	if v == 0 && u.pending.Load() {
		u.push(sk)
	}
	return nil
}

func setSegment(sk *socket.Sock, v int) error {
	if v < 0 || v > 0xffff {
		return errno.EINVAL
	}
	of(sk).segment.Store(int32(v))
	return nil
}

// cork takes a send that is only a part of a datagram: MSG_MORE or UDP_CORK
// says that more comes, and the first send without either sends the whole to
// where the first part was to go. (udp_sendmsg, ip_append_data)
func (u *sock) cork(sk *socket.Sock, m *socket.Msghdr, to *socket.Sockaddr, more bool, limit int) (int, error) {
	u.mu.Lock()
	it := m.Iter()
	size := it.Len()
	if len(u.data)+size > limit {
		u.mu.Unlock()
		return 0, errno.EMSGSIZE
	}
	if !u.pending.Swap(true) && to != nil {
		first := *to
		u.to = &first
	}
	b := make([]byte, size)
	it.Read(b)
	u.data = append(u.data, b...)
	u.mu.Unlock()
	if more {
		return size, nil
	}
	if err := u.push(sk); err != nil {
		return 0, err
	}
	return size, nil
}

// push sends what waits as one datagram.
func (u *sock) push(sk *socket.Sock) error {
	u.mu.Lock()
	m := socket.Msghdr{}
	m.SetBuffer(u.data)
	if u.to != nil {
		m.Name, m.HasName = *u.to, true
	}
	u.data, u.to = nil, nil
	u.pending.Store(false)
	u.mu.Unlock()
	_, err := transmit(sk, &m, socket.MSG_DONTWAIT)
	return err
}
