package main

import (
	"errors"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/tamanet/tamanet/net/inet"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/socket"
)

// groupPort is the UDP port on which groups are listened to.
const groupPort = 5000

// groups are the multicast groups that were joined, on the first card.
type groups struct {
	mu     sync.Mutex
	task   *socket.Task
	joined map[netip.Addr]*member
}

// A member is a socket that is in one group.
type member struct {
	fd       int
	drop     func() error // takes the membership back
	received atomic.Uint64
}

// A groupReport tells of a group, and of the card.
type groupReport struct {
	Received uint64 // datagrams to the group, since it was joined
	Frames   uint64 // that the card has received
	Error    string
}

// serve joins or leaves a group, or does neither, and tells.
func (g *groups) serve(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	addr, err := netip.ParseAddr(r.FormValue("addr"))
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
	for _, i := range netdev.Interfaces() {
		report.Frames += i.Counters.RxPackets
	}
	answer(w, report)
}

func (g *groups) join(addr netip.Addr) error {
	if g.task == nil {
		g.task, g.joined = socket.NewTask(netdev.Default()), make(map[netip.Addr]*member)
	}
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
