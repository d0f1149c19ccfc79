//go:build linux

package oracle

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/tamanet/tamanet/net/inet"
	"github.com/tamanet/tamanet/net/socket"
	"github.com/tamanet/tamanet/net/tcp"
	"github.com/tamanet/tamanet/net/udp"
)

// RecvCtl receives with room for control messages and writes them out. The
// bytes of times are not compared.
func (r *run) RecvCtl(fd, size, room, flags int) {
	b := make([]byte, size)
	// Even without room there is somewhere to point to.
	control := make([]byte, room, room+1)
	n, used, msgflags, err := r.sys.(controlSys).recvctl(fd, b, control, flags)
	var text []string
	for rest := control[:used]; ; {
		c, next, ok, cerr := socket.NextCmsg(rest)
		if cerr != nil || !ok {
			break
		}
		data := fmt.Sprintf("%x", c.Data)
		if c.Level == socket.SOL_SOCKET && c.Type != socket.SO_RXQ_OVFL {
			data = fmt.Sprintf("%d bytes", len(c.Data))
		}
		text = append(text, fmt.Sprintf("(%d %d %s)", c.Level, c.Type, data))
		rest = next
	}
	r.outcome("recvmsg", err, n, quote(b, n), fmt.Sprintf("flags %#x", msgflags), strings.Join(text, " "))
}

// SendCtl sends with one control message.
func (r *run) SendCtl(fd int, b string, level, typ int, data []byte) {
	n, err := r.sys.(controlSys).sendctl(fd, []byte(b), socket.AppendCmsg(nil, level, typ, data), socket.MSG_NOSIGNAL, nil)
	r.outcome(fmt.Sprintf("sendmsg with %d %d %x", level, typ, data), err, n)
}

func cint(v int) []byte { return binary.NativeEndian.AppendUint32(nil, uint32(v)) }

func cmsgScenarios() []scenario {
	var list []scenario
	tell := []struct {
		label       string
		level, name int
	}{
		{"IP_PKTINFO", socket.SOL_IP, inet.IP_PKTINFO},
		{"IP_RECVTTL", socket.SOL_IP, inet.IP_RECVTTL},
		{"IP_RECVTOS", socket.SOL_IP, inet.IP_RECVTOS},
		{"IPV6_RECVPKTINFO", socket.SOL_IPV6, inet.IPV6_RECVPKTINFO},
		{"IPV6_RECVHOPLIMIT", socket.SOL_IPV6, inet.IPV6_RECVHOPLIMIT},
		{"IPV6_RECVTCLASS", socket.SOL_IPV6, inet.IPV6_RECVTCLASS},
		{"SO_TIMESTAMP", socket.SOL_SOCKET, socket.SO_TIMESTAMP},
		{"SO_TIMESTAMPNS", socket.SOL_SOCKET, socket.SO_TIMESTAMPNS},
		{"SO_TIMESTAMP_NEW", socket.SOL_SOCKET, socket.SO_TIMESTAMP_NEW},
		{"SO_RXQ_OVFL", socket.SOL_SOCKET, socket.SO_RXQ_OVFL},
	}
	for _, o := range tell {
		list = append(list, both("cmsg/"+o.label, func(r *run, family int) {
			a, b := r.peers(family)
			r.SetInt(b, o.level, o.name, 1)
			r.SetInt(a, socket.SOL_IP, inet.IP_TTL, 33)
			r.SetInt(a, socket.SOL_IP, inet.IP_TOS, 0x28)
			r.SetInt(a, socket.SOL_IPV6, inet.IPV6_UNICAST_HOPS, 34)
			r.SetInt(a, socket.SOL_IPV6, inet.IPV6_TCLASS, 0x48)
			for _, room := range []int{200, 0, 15, 16, 17, 18, 20, 24} {
				r.Send(a, "hello", 0)
				r.RecvCtl(b, 16, room, 0)
			}
		})...)
	}
	list = append(list, both("cmsg/all at once", func(r *run, family int) {
		a, b := r.peers(family)
		for _, o := range tell {
			r.SetInt(b, o.level, o.name, 1)
		}
		r.Send(a, "hello", 0)
		r.RecvCtl(b, 3, 400, socket.MSG_PEEK)
		r.RecvCtl(b, 3, 400, 0)
	})...)
	list = append(list, sendControlScenarios()...)
	list = append(list, both("cmsg/error queue", func(r *run, family int) {
		fd := r.open(family, dgram)
		r.SetInt(fd, socket.SOL_IP, inet.IP_RECVERR, 1)
		r.SetInt(fd, socket.SOL_IPV6, inet.IPV6_RECVERR, 1)
		r.RecvCtl(fd, 16, 200, socket.MSG_ERRQUEUE)
		must(r, 0, r.connect(fd, r.freePort(family, dgram)))
		r.Send(fd, "nobody there", 0)
		r.Poll(fd)
		r.RecvCtl(fd, 5, 200, socket.MSG_ERRQUEUE)
		r.RecvCtl(fd, 5, 200, socket.MSG_ERRQUEUE)
		r.SockErr(fd)
	})...)
	return append(list, partScenarios()...)
}

// sendControlScenarios give control messages to a send.
func sendControlScenarios() []scenario {
	var list []scenario
	pktinfo := func(n int) []byte { return make([]byte, n) }
	for label, c := range map[string]struct {
		level, typ int
		data       [][]byte
	}{
		"IP_TTL":         {socket.SOL_IP, inet.IP_TTL, [][]byte{cint(9), cint(0), cint(256), {9}, nil}},
		"IP_TOS":         {socket.SOL_IP, inet.IP_TOS, [][]byte{cint(0x20), {0x20}, cint(256), nil}},
		"IP_PKTINFO":     {socket.SOL_IP, inet.IP_PKTINFO, [][]byte{pktinfo(12), pktinfo(11), pktinfo(13)}},
		"unknown of IP":  {socket.SOL_IP, 99, [][]byte{cint(1)}},
		"IPV6_HOPLIMIT":  {socket.SOL_IPV6, inet.IPV6_HOPLIMIT, [][]byte{cint(9), cint(-1), cint(256), {9}}},
		"IPV6_TCLASS":    {socket.SOL_IPV6, inet.IPV6_TCLASS, [][]byte{cint(0x20), cint(-1), cint(256), {9}}},
		"IPV6_PKTINFO":   {socket.SOL_IPV6, inet.IPV6_PKTINFO, [][]byte{pktinfo(20), pktinfo(19)}},
		"unknown of v6":  {socket.SOL_IPV6, 199, [][]byte{cint(1)}},
		"unknown level":  {1234, 1, [][]byte{cint(1)}},
		"UDP_SEGMENT":    {socket.SOL_UDP, udp.UDP_SEGMENT, [][]byte{{2, 0}, {2}, {2, 0, 0}}},
		"unknown of UDP": {socket.SOL_UDP, 9, [][]byte{cint(1)}},
		"of SOL_SOCKET":  {socket.SOL_SOCKET, 999, [][]byte{cint(1)}},
	} {
		list = append(list, both("cmsg/send/"+label, func(r *run, family int) {
			a, b := r.peers(family)
			r.SetInt(b, socket.SOL_IP, inet.IP_RECVTTL, 1)
			r.SetInt(b, socket.SOL_IP, inet.IP_RECVTOS, 1)
			r.SetInt(b, socket.SOL_IPV6, inet.IPV6_RECVHOPLIMIT, 1)
			r.SetInt(b, socket.SOL_IPV6, inet.IPV6_RECVTCLASS, 1)
			for _, data := range c.data {
				r.SendCtl(a, "hello", c.level, c.typ, data)
				for range 3 {
					r.RecvCtl(b, 16, 200, socket.MSG_DONTWAIT)
				}
			}
			r.Send(a, "after", 0)
			r.RecvCtl(b, 16, 200, socket.MSG_DONTWAIT)
		})...)
	}
	return list
}

// partScenarios are about datagrams in parts, and the stream's options with
// an effect on receive.
func partScenarios() []scenario {
	list := both("cmsg/UDP_SEGMENT option", func(r *run, family int) {
		a, b := r.peers(family)
		r.SetInt(a, socket.SOL_UDP, udp.UDP_SEGMENT, 4)
		for _, text := range []string{"0123456789", "0123", "012"} {
			r.Send(a, text, 0)
			for range 4 {
				r.Recv(b, 16, socket.MSG_DONTWAIT)
			}
		}
	})
	list = append(list, both("cmsg/UDP_CORK", func(r *run, family int) {
		a, b := r.peers(family)
		r.SetInt(a, socket.SOL_UDP, udp.UDP_CORK, 1)
		r.Send(a, "one ", 0)
		r.Send(a, "two", 0)
		r.Recv(b, 16, socket.MSG_DONTWAIT)
		r.SetInt(a, socket.SOL_UDP, udp.UDP_CORK, 0)
		r.Recv(b, 16, socket.MSG_DONTWAIT)
		r.Send(a, "a", socket.MSG_MORE)
		r.Send(a, "b", socket.MSG_MORE)
		r.Recv(b, 16, socket.MSG_DONTWAIT)
		r.Send(a, "c", 0)
		r.Recv(b, 16, socket.MSG_DONTWAIT)
	})...)
	list = append(list, both("cmsg/TCP_INQ", func(r *run, family int) {
		client, server, _ := r.connected(family)
		r.SetInt(server, socket.SOL_TCP, tcp.TCP_INQ, 1)
		r.Send(client, "0123456789", 0)
		r.await(server, socket.POLLIN)
		r.RecvCtl(server, 4, 100, 0)
		r.RecvCtl(server, 6, 100, 0)
	})...)
	return append(list, both("cmsg/SO_RCVLOWAT", func(r *run, family int) {
		client, server, _ := r.connected(family)
		r.SetInt(server, socket.SOL_SOCKET, socket.SO_RCVLOWAT, 5)
		r.Send(client, "012", 0)
		r.Inq(server)
		r.Poll(server)
		r.receiveTimeout(server, 100)
		join := r.async(func(r *run) { r.Recv(server, 16, 0) })
		join()
		r.Send(client, "345678", 0)
		r.Poll(server)
		r.Recv(server, 16, 0)
	})...)
}
