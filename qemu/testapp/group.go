package main

import (
	"errors"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/tamanet/tamanet/net/inet"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/packet"
	"github.com/tamanet/tamanet/net/socket"
)

// groupPort is the UDP port on which groups are listened to.
const groupPort = 5000

// groups are the multicast groups that were joined, on the first card.
type groups struct {
	mu     sync.Mutex
	task   *socket.Task
	joined map[netip.Addr]*member

	// frames counts what a packet socket has received, by the address that it is for.
	frames sync.Map
}

// A member is a socket that is in one group.
type member struct {
	fd       int
	drop     func() error // takes the membership back
	received atomic.Uint64
}

// A groupReport tells of a group.
type groupReport struct {
	Received uint64 // datagrams to it, since it was joined
	Frames   uint64 // that the card has received for it, since groups were first asked for
	Error    string
}

// serve joins or leaves a group, or does neither, and tells.
func (g *groups) serve(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	addr, err := netip.ParseAddr(r.FormValue("addr"))
	if err == nil {
		err = g.begin()
	}
	if err == nil {
		switch r.FormValue("do") {
		case "join":
			err = g.join(addr)
		case "leave":
			err = g.leave(addr)
		}
	}
	report := groupReport{Error: text(err)}
	if m := g.joined[addr]; m != nil {
		report.Received = m.received.Load()
	}
	if n, ok := g.frames.Load(etherOf(addr)); ok {
		report.Frames = n.(*atomic.Uint64).Load()
	}
	answer(w, report)
}

// etherOf is the Ethernet address of a group (RFC 1112 §6.4, RFC 2464 §7).
func etherOf(addr netip.Addr) (mac [6]byte) {
	if b := addr.AsSlice(); len(b) == 4 {
		return [6]byte{1, 0, 0x5e, b[1] & 0x7f, b[2], b[3]}
	} else if len(b) == 16 {
		return [6]byte{0x33, 0x33, b[12], b[13], b[14], b[15]}
	}
	return mac
}

// begin counts frames from the first call on.
func (g *groups) begin() error {
	if g.task != nil {
		return nil
	}
	task := socket.NewTask(netdev.Default())
	fd, err := task.Socket(socket.AF_PACKET, socket.SOCK_RAW, packet.Htons(packet.ETH_P_ALL))
	if err != nil {
		return err
	}
	g.task, g.joined = task, make(map[netip.Addr]*member)
	go func() {
		b := make([]byte, 2048)
		for {
			if _, err := task.Recv(fd, b, 0); err != nil {
				return
			}
			n, _ := g.frames.LoadOrStore([6]byte(b), new(atomic.Uint64))
			n.(*atomic.Uint64).Add(1)
		}
	}()
	return nil
}

func (g *groups) join(addr netip.Addr) error {
	family, level, add, drop := socket.AF_INET, socket.SOL_IP, inet.IP_ADD_MEMBERSHIP, inet.IP_DROP_MEMBERSHIP
	mreq := append(addr.AsSlice(), make([]byte, 4)...) // the interface is that of the route, or the first card
	if addr.Is6() {
		family, level, add, drop = socket.AF_INET6, socket.SOL_IPV6, inet.IPV6_ADD_MEMBERSHIP, inet.IPV6_DROP_MEMBERSHIP
		mreq[16] = byte(netdev.LoopbackIndex + 1)
	}
	fd, err := g.task.Socket(family, socket.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	if err := g.task.SetSockOpt(fd, level, add, mreq); err != nil {
		g.task.Close(fd)
		return err
	}
	to := socket.SockaddrFrom(netip.AddrPortFrom(addr, groupPort))
	if addr.Is6() {
		to = socket.SockaddrInet6(addr.As16(), groupPort, netdev.LoopbackIndex+1)
	}
	if err := g.task.Bind(fd, to); err != nil {
		g.task.Close(fd)
		return err
	}
	m := &member{fd: fd, drop: func() error { return g.task.SetSockOpt(fd, level, drop, mreq) }}
	g.joined[addr] = m
	go func() {
		b := make([]byte, 2048)
		for {
			if n, err := g.task.Recv(fd, b, 0); err != nil || n == 0 {
				return
			}
			m.received.Add(1)
		}
	}()
	return nil
}

func (g *groups) leave(addr netip.Addr) error {
	m := g.joined[addr]
	if m == nil {
		return nil
	}
	delete(g.joined, addr)
	err := m.drop()
	g.task.Shutdown(m.fd, socket.SHUT_RDWR) // ends the receive
	return errors.Join(err, g.task.Close(m.fd))
}
