//go:build linux

package oracle

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/net/bpf"

	"github.com/tamanet/tamanet/net/inet"
	"github.com/tamanet/tamanet/net/socket"
	"github.com/tamanet/tamanet/net/udp"
)

// udpScenarios are about what a datagram socket does with its queue, its
// addresses and its options.
func udpScenarios() []scenario {
	var list []scenario
	for _, part := range []func() []scenario{
		udpDissolveScenarios, udpPeekScenarios, udpFilterScenarios, udpGroupScenarios, udpBindScenarios, udpSendScenarios, udpErrorScenarios,
	} {
		list = append(list, part()...)
	}
	return list
}

func (r *run) Outq(fd int) {
	n, err := r.sys.(controlSys).siocoutq(fd)
	r.outcome("SIOCOUTQ", err, n)
}

// drain receives all that waits, at most most messages.
func (r *run) drain(fd, most int) {
	for range most {
		r.Recv(fd, 32, socket.MSG_DONTWAIT)
	}
}

func udpDissolveScenarios() []scenario {
	list := both("udp/dissolve/keeps the queue", func(r *run, family int) {
		for _, bind := range []bool{true, false} {
			a := r.open(family, dgram)
			if bind {
				must(r, 0, r.bind(a, lo(family, 0)))
			}
			b, addrB := r.bound(family, dgram)
			c, _ := r.bound(family, dgram)
			r.Connect(a, addrB)
			addrA := r.SockName(a)
			r.SendTo(b, "before", 0, addrA)
			r.SendTo(c, "stranger", 0, addrA)
			r.Connect(a, unspec)
			r.SockName(a)
			r.PeerName(a)
			r.Poll(a)
			r.FionRead(a)
			r.SendTo(c, "after", 0, addrA)
			r.drain(a, 3)
			r.SendTo(a, "still sends", 0, addrB)
			r.Recv(b, 32, socket.MSG_DONTWAIT)
			r.SockName(a)
			r.drain(b, 2)
			r.Connect(a, addrB)
			r.Send(a, "again", 0)
			r.Recv(b, 32, socket.MSG_DONTWAIT)
		}
	})
	list = append(list, both("udp/dissolve/keeps what was sent by others", func(r *run, family int) {
		a, addrA := r.bound(family, dgram)
		_, addrB := r.bound(family, dgram)
		c, _ := r.bound(family, dgram)
		r.SendTo(c, "before it had a peer", 0, addrA)
		r.Connect(a, addrB)
		r.SendTo(c, "stranger", 0, addrA)
		r.drain(a, 2)
	})...)
	list = append(list, both("udp/dissolve/bound address without port", func(r *run, family int) {
		a, _ := r.bound(family, dgram)
		_, addrB := r.bound(family, dgram)
		r.Connect(a, addrB)
		r.Connect(a, unspec)
		r.SockName(a)
		r.Bind(a, lo(family, 0))
		r.SockName(a)
		r.SendTo(a, "x", 0, addrB)
		r.SockName(a)
	})...)
	list = append(list, both("udp/dissolve/bind that fails", func(r *run, family int) {
		a := r.open(family, dgram)
		b, addrB := r.bound(family, dgram)
		r.Connect(a, addrB)
		r.SendTo(b, "kept", 0, r.SockName(a))
		r.Connect(a, unspec)
		r.Bind(a, addrB)
		r.SockName(a)
		r.drain(a, 2)
		r.Bind(a, lo(family, 0))
		r.SendTo(b, "more", 0, r.SockName(a))
		r.drain(a, 2)
	})...)
	list = append(list, both("udp/dissolve/device", func(r *run, family int) {
		a, _ := r.bound(family, dgram)
		_, addrB := r.bound(family, dgram)
		r.SetOpt(a, socket.SOL_SOCKET, socket.SO_BINDTODEVICE, []byte("lo\x00"))
		r.Connect(a, addrB)
		r.GetOpt(a, socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16)
		r.Connect(a, unspec)
		r.GetOpt(a, socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16)
	})...)
	list = append(list, both("udp/dissolve/error stays", func(r *run, family int) {
		a := r.open(family, dgram)
		r.Connect(a, r.freePort(family, dgram))
		r.Send(a, "x", 0)
		r.await(a, socket.POLLERR)
		r.Connect(a, unspec)
		r.Poll(a)
		r.SockErr(a)
		r.SockErr(a)
	})...)
	return append(list, scenario{"udp/connect again keeps the source", func(r *run) {
		a := r.open(inet4, dgram)
		r.Connect(a, at("127.0.0.1", 9))
		r.SockName(a)
		r.Connect(a, at("127.0.0.2", 9))
		r.SockName(a)
		r.Connect(a, unspec)
		r.SockName(a)
		r.Connect(a, at("127.0.0.2", 9))
		r.SockName(a)
	}})
}

func udpPeekScenarios() []scenario {
	peekOff := func(r *run, fd, v int) {
		r.SetInt(fd, socket.SOL_SOCKET, socket.SO_PEEK_OFF, v)
	}
	list := both("udp/SO_PEEK_OFF/across datagrams", func(r *run, family int) {
		a, b := r.peers(family)
		for _, text := range []string{"0123456789", "", "abcdef", "XYZ"} {
			r.Send(a, text, 0)
		}
		look := func() { r.GetOpt(b, socket.SOL_SOCKET, socket.SO_PEEK_OFF, 4) }
		peekOff(r, b, 0)
		for range 6 {
			r.RecvMsg(b, socket.MSG_PEEK|socket.MSG_DONTWAIT, 4)
			look()
		}
		peekOff(r, b, 3)
		r.RecvMsg(b, socket.MSG_PEEK|socket.MSG_DONTWAIT, 100)
		look()
		r.RecvMsg(b, socket.MSG_DONTWAIT, 5)
		look()
		r.RecvMsg(b, socket.MSG_PEEK|socket.MSG_DONTWAIT, 5)
		look()
		peekOff(r, b, 100)
		r.RecvMsg(b, socket.MSG_PEEK|socket.MSG_DONTWAIT, 5)
		r.RecvMsg(b, socket.MSG_DONTWAIT, 5)
		look()
		peekOff(r, b, -1)
		r.RecvMsg(b, socket.MSG_PEEK|socket.MSG_DONTWAIT, 5)
		look()
		r.RecvMsg(b, socket.MSG_DONTWAIT, 5)
		r.RecvMsg(b, socket.MSG_DONTWAIT, 5)
		look()
	})
	list = append(list, both("udp/SO_PEEK_OFF/whole lengths", func(r *run, family int) {
		a, b := r.peers(family)
		r.Send(a, "0123456789", 0)
		r.Send(a, "abc", 0)
		peekOff(r, b, 2)
		for _, room := range []int{7, 8, 9} {
			r.RecvMsg(b, socket.MSG_PEEK|socket.MSG_DONTWAIT, room)
			peekOff(r, b, 2)
		}
		for range 3 {
			r.RecvMsg(b, socket.MSG_PEEK|socket.MSG_TRUNC|socket.MSG_DONTWAIT, 4)
			r.GetOpt(b, socket.SOL_SOCKET, socket.SO_PEEK_OFF, 4)
		}
		r.RecvMsg(b, socket.MSG_TRUNC|socket.MSG_DONTWAIT, 4)
		r.GetOpt(b, socket.SOL_SOCKET, socket.SO_PEEK_OFF, 4)
	})...)
	return append(list, both("udp/queue lengths", func(r *run, family int) {
		a, b := r.peers(family)
		for _, n := range []int{10, 0, 2000} {
			r.Send(a, strings.Repeat("x", n), 0)
			r.Outq(a)
			r.Inq(b)
		}
		for range 4 {
			r.Recv(b, 4000, socket.MSG_DONTWAIT)
			r.Inq(b)
			r.Outq(b)
		}
		r.Inq(r.open(family, dgram))
	})...)
}

func udpFilterScenarios() []scenario {
	list := both("udp/filter/sees the header", func(r *run, family int) {
		a, b := r.peers(family)
		r.SetInt(b, socket.SOL_SOCKET, socket.SO_RXQ_OVFL, 1)
		for _, prog := range [][]byte{
			program(bpf.RetConstant{Val: 1000}),
			program(bpf.RetConstant{Val: 0}),
			program(bpf.RetConstant{Val: 3}),
			program(bpf.RetConstant{Val: 8}),
			program(bpf.RetConstant{Val: 11}),
			program(bpf.LoadAbsolute{Off: 4, Size: 2}, bpf.RetA{}),
			program(bpf.LoadAbsolute{Off: 8, Size: 1}, bpf.JumpIf{Cond: bpf.JumpEqual, Val: 'h', SkipFalse: 1}, bpf.RetConstant{Val: 100}, bpf.RetConstant{}),
			program(bpf.LoadExtension{Num: bpf.ExtLen}, bpf.RetA{}),
			program(bpf.LoadAbsolute{Off: 100, Size: 1}, bpf.RetConstant{Val: 100}),
			program(bpf.LoadAbsolute{Off: 2, Size: 2}, bpf.JumpIf{Cond: bpf.JumpGreaterThan, Val: 1, SkipFalse: 1}, bpf.RetConstant{Val: 100}, bpf.RetConstant{}),
		} {
			r.outcome("attach", r.sys.(controlSys).attach(b, prog))
			for _, text := range []string{"hello", "", "world, and more"} {
				r.Send(a, text, 0)
				r.FionRead(b)
				r.RecvCtl(b, 10, 100, socket.MSG_DONTWAIT)
			}
		}
		r.SetInt(b, socket.SOL_SOCKET, socket.SO_DETACH_FILTER, 0)
		r.Send(a, "free", 0)
		r.RecvCtl(b, 10, 100, socket.MSG_DONTWAIT)
	})
	return append(list, both("udp/filter/lock", func(r *run, family int) {
		fd := r.open(family, dgram)
		r.SetInt(fd, socket.SOL_SOCKET, socket.SO_DETACH_FILTER, 0)
		r.outcome("attach", r.sys.(controlSys).attach(fd, program(bpf.RetConstant{Val: 1})))
		r.GetOpt(fd, socket.SOL_SOCKET, socket.SO_GET_FILTER, 0)
		r.SetInt(fd, socket.SOL_SOCKET, socket.SO_LOCK_FILTER, 1)
		r.SetInt(fd, socket.SOL_SOCKET, socket.SO_DETACH_FILTER, 0)
		r.outcome("attach", r.sys.(controlSys).attach(fd, program(bpf.RetConstant{Val: 1})))
	})...)
}

// group4 is a group that only scenarios are in.
var group4 = netip.MustParseAddr("239.7.7.7")

func mreqnOf(group netip.Addr) []byte {
	return binary.NativeEndian.AppendUint32(append(group.AsSlice(), 0, 0, 0, 0), 1)
}

func udpGroupScenarios() (list []scenario) {
	for _, all := range []int{-1, 1, 0} {
		list = append(list, scenario{fmt.Sprintf("udp/group/IP_MULTICAST_ALL %d", all), func(r *run) {
			const port = 7781
			var fds [2]int
			for i := range fds {
				fds[i] = r.open(inet4, dgram)
				r.SetInt(fds[i], socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
				r.Bind(fds[i], wildcard(inet4, port))
				if all >= 0 {
					r.SetInt(fds[i], socket.SOL_IP, inet.IP_MULTICAST_ALL, all)
				}
			}
			r.SetOpt(fds[0], socket.SOL_IP, inet.IP_ADD_MEMBERSHIP, mreqnOf(group4))
			sender := r.open(inet4, dgram)
			r.SetOpt(sender, socket.SOL_IP, inet.IP_MULTICAST_IF, netip.MustParseAddr("127.0.0.1").AsSlice())
			send := func(text string) {
				r.SendTo(sender, text, 0, at(group4.String(), port))
				r.arrivedAt(fds[0])
				r.drain(fds[0], 2)
				r.drain(fds[1], 2)
			}
			send("one member")
			r.SetOpt(fds[1], socket.SOL_IP, inet.IP_ADD_MEMBERSHIP, mreqnOf(group4))
			send("two members")
			r.SetOpt(fds[0], socket.SOL_IP, inet.IP_DROP_MEMBERSHIP, mreqnOf(group4))
			send("the other member")
		}})
	}
	return append(list, scenario{"udp/group/where it came in", func(r *run) {
		const port = 7783
		fd := r.open(inet4, dgram)
		r.Bind(fd, wildcard(inet4, port))
		r.SetOpt(fd, socket.SOL_IP, inet.IP_ADD_MEMBERSHIP, mreqnOf(group4))
		r.SetInt(fd, socket.SOL_IP, inet.IP_PKTINFO, 1)
		sender := r.open(inet4, dgram)
		r.SetOpt(sender, socket.SOL_IP, inet.IP_MULTICAST_IF, netip.MustParseAddr("127.0.0.1").AsSlice())
		r.SendTo(sender, "to all", 0, at(group4.String(), port))
		r.await(fd, socket.POLLIN)
		r.RecvCtl(fd, 10, 100, 0)
	}})
}

// arrivedAt waits for a datagram, if one comes.
func (r *run) arrivedAt(fd int) {
	p := []socket.PollFd{{Fd: fd, Events: socket.POLLIN}}
	r.poll(p, 100)
}

func udpBindScenarios() []scenario {
	foreign := func(family int) socket.Sockaddr {
		return map[int]socket.Sockaddr{inet4: at("203.0.113.7", 7791), inet6: at("2001:db8::7", 7791)}[family]
	}
	var list []scenario
	for label, o := range map[string]struct{ level, name int }{
		"IP_FREEBIND":      {socket.SOL_IP, inet.IP_FREEBIND},
		"IP_TRANSPARENT":   {socket.SOL_IP, inet.IP_TRANSPARENT},
		"IPV6_FREEBIND":    {socket.SOL_IPV6, inet.IPV6_FREEBIND},
		"IPV6_TRANSPARENT": {socket.SOL_IPV6, inet.IPV6_TRANSPARENT},
	} {
		list = append(list, both("udp/bind/"+label, func(r *run, family int) {
			to, addr := r.bound(family, dgram)
			fd := r.open(family, dgram)
			r.Bind(fd, foreign(family))
			r.SetInt(fd, o.level, o.name, 1)
			r.Bind(fd, foreign(family))
			r.SockName(fd)
			r.SendTo(fd, "x", 0, addr)
			r.drain(to, 1)
			r.Connect(fd, addr)
			r.Close(fd)
		})...)
	}
	list = append(list, both("udp/bind/two with one peer", func(r *run, family int) {
		peer, addrPeer := r.bound(family, dgram)
		var fds [2]int
		var addr socket.Sockaddr
		for i := range fds {
			fds[i] = r.open(family, dgram)
			r.SetInt(fds[i], socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
			if i == 0 {
				r.Bind(fds[i], lo(family, 0))
				addr = r.SockName(fds[i])
			} else {
				r.Bind(fds[i], addr)
			}
			r.Connect(fds[i], addrPeer)
		}
		r.SendTo(peer, "to the later one", 0, addr)
		r.drain(fds[0], 1)
		r.drain(fds[1], 1)
		r.Close(fds[1])
		r.SendTo(peer, "to the one that is left", 0, addr)
		r.drain(fds[0], 1)
	})...)
	list = append(list, both("udp/bind/a better socket comes and goes", func(r *run, family int) {
		any := r.open(family, dgram)
		r.SetInt(any, socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
		must(r, 0, r.bind(any, wildcard(family, 0)))
		name := r.SockName(any)
		sender, addrSender := r.bound(family, dgram)
		to := lo(family, name.Port)
		send := func(text string, fds ...int) {
			r.SendTo(sender, text, 0, to)
			for _, fd := range fds {
				r.drain(fd, 1)
			}
		}
		send("to any", any)
		own := r.open(family, dgram)
		r.SetInt(own, socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
		r.Bind(own, to)
		send("to the address's own", any, own)
		connected := r.open(family, dgram)
		r.SetInt(connected, socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
		r.Bind(connected, to)
		r.Connect(connected, addrSender)
		send("to the connected", any, own, connected)
		r.Connect(connected, unspec)
		r.Close(connected)
		send("to the address's own again", any, own)
		r.Close(own)
		send("to any again", any)
		r.Close(any)
		r.SendTo(sender, "to nobody", 0, to)
		r.Poll(sender)
	})...)
	for _, typ := range []int{dgram, stream} {
		list = append(list, both("udp/bind/IP_BIND_ADDRESS_NO_PORT/"+typeNames[typ], func(r *run, family int) {
			l, addr := r.bound(family, typ)
			if typ == stream {
				must(r, 0, r.listen(l, 2))
			}
			for _, bind := range []socket.Sockaddr{lo(family, 0), wildcard(family, 0)} {
				fd := r.open(family, typ)
				r.SetInt(fd, socket.SOL_IP, inet.IP_BIND_ADDRESS_NO_PORT, 1)
				r.Bind(fd, bind)
				r.SockName(fd)
				r.Bind(fd, bind)
				r.Poll(fd)
				r.Connect(fd, addr)
				r.SockName(fd)
				r.Bind(fd, bind)
				r.Send(fd, "x", 0)
				r.Close(fd)
			}
			fd := r.open(family, typ)
			r.SetInt(fd, socket.SOL_IP, inet.IP_BIND_ADDRESS_NO_PORT, 1)
			r.Bind(fd, lo(family, 0))
			if typ == stream {
				r.Listen(fd, 2)
			} else {
				r.SendTo(fd, "x", 0, addr)
			}
			r.SockName(fd)
		})...)
	}
	return append(list, scenario{"udp/bind/both families", func(r *run) {
		six := r.open(inet6, dgram)
		must(r, 0, r.bind(six, wildcard(inet6, 0)))
		name := r.SockName(six)
		four := r.open(inet4, dgram)
		r.SendTo(four, "over IPv4", 0, lo(inet4, name.Port))
		r.Recv(six, 32, socket.MSG_DONTWAIT)
		r.SendTo(six, "to a mapped address", 0, at("::ffff:127.0.0.1", name.Port))
		r.Recv(six, 32, socket.MSG_DONTWAIT)
		r.Connect(six, at("::ffff:127.0.0.1", name.Port))
		r.SockName(six)
		r.PeerName(six)
		r.Send(six, "to itself", 0)
		r.Recv(six, 32, socket.MSG_DONTWAIT)
		r.Connect(six, unspec)
		r.SockName(six)
		r.Send(six, "x", 0)
	}})
}

func udpSendScenarios() []scenario {
	list := both("udp/least TTL", func(r *run, family int) {
		a, b := r.peers(family)
		r.SetInt(a, socket.SOL_IP, inet.IP_TTL, 33)
		r.SetInt(a, socket.SOL_IPV6, inet.IPV6_UNICAST_HOPS, 33)
		for _, least := range []int{33, 34, 255, 0} {
			r.SetInt(b, socket.SOL_IP, inet.IP_MINTTL, least)
			r.SetInt(b, socket.SOL_IPV6, inet.IPV6_MINHOPCOUNT, least)
			r.Send(a, fmt.Sprint("at least ", least), 0)
			r.drain(b, 1)
		}
	})
	for _, gro := range []int{0, 1} {
		list = append(list, both(fmt.Sprintf("udp/UDP_GRO %d", gro), func(r *run, family int) {
			a, b := r.peers(family)
			r.SetInt(b, socket.SOL_UDP, udp.UDP_GRO, gro)
			for _, segment := range []int{4, 0, 3} {
				r.SetInt(a, socket.SOL_UDP, udp.UDP_SEGMENT, segment)
				for _, text := range []string{"0123456789", "abc", "", "abcdef"} {
					r.Send(a, text, 0)
					for range 5 {
						r.RecvCtl(b, 16, 100, socket.MSG_DONTWAIT)
					}
				}
			}
		})...)
	}
	list = append(list, both("udp/without a checksum", func(r *run, family int) {
		a, b := r.peers(family)
		r.SetInt(a, socket.SOL_SOCKET, socket.SO_NO_CHECK, 1)
		r.SetInt(a, socket.SOL_UDP, udp.UDP_NO_CHECK6_TX, 1)
		r.Send(a, "refused over IPv6", 0)
		r.drain(b, 1)
		r.SetInt(b, socket.SOL_UDP, udp.UDP_NO_CHECK6_RX, 1)
		r.Send(a, "taken", 0)
		r.drain(b, 1)
	})...)
	for _, mode := range []int{0, 1, 2, 3, 4, 5} {
		list = append(list, scenario{fmt.Sprintf("udp/longer than the MTU/IPV6_MTU_DISCOVER %d", mode), func(r *run) {
			a, b := r.peers(inet6)
			r.SetInt(a, socket.SOL_IPV6, inet.IPV6_MTU_DISCOVER, mode)
			r.SetInt(a, socket.SOL_IPV6, inet.IPV6_RECVERR, 1)
			for _, n := range []int{65488, 65489, 65527} {
				r.Send(a, strings.Repeat("x", n), 0)
				r.RecvCtl(a, 16, 200, socket.MSG_ERRQUEUE)
				r.Recv(b, 1<<17, socket.MSG_DONTWAIT)
			}
		}})
	}
	list = append(list, scenario{"udp/longer than the MTU/IPV6_DONTFRAG", func(r *run) {
		a, b := r.peers(inet6)
		r.SetInt(a, socket.SOL_IPV6, inet.IPV6_DONTFRAG, 1)
		for _, n := range []int{65488, 65489, 65527} {
			r.Send(a, strings.Repeat("x", n), 0)
			r.Recv(b, 1<<17, socket.MSG_DONTWAIT)
		}
	}})
	pktinfo := func(index uint32, src string) []byte {
		b := binary.NativeEndian.AppendUint32(nil, index)
		return append(append(b, netip.MustParseAddr(src).AsSlice()...), 0, 0, 0, 0)
	}
	list = append(list, scenario{"udp/IP_PKTINFO of a send", func(r *run) {
		_, _ = r.peers(inet4)
		b, addr := r.bound(inet4, dgram)
		a := r.open(inet4, dgram)
		for _, info := range [][]byte{
			pktinfo(0, "127.0.0.5"), pktinfo(1, "127.0.0.6"), pktinfo(1, "0.0.0.0"), pktinfo(0, "203.0.113.1"), pktinfo(77, "0.0.0.0"),
		} {
			n, err := r.sys.(controlSys).sendctl(a, []byte("x"), socket.AppendCmsg(nil, socket.SOL_IP, inet.IP_PKTINFO, info), 0, &addr)
			r.outcome(fmt.Sprintf("sendmsg by %x", info), err, n)
			r.drain(b, 1)
		}
	}})
	return append(list, both("udp/to a socket of the other kind", func(r *run, family int) {
		// What one socket sends in turn to several.
		a := r.open(family, dgram)
		var fds []int
		var addrs []socket.Sockaddr
		for range 7 {
			fd, addr := r.bound(family, dgram)
			fds, addrs = append(fds, fd), append(addrs, addr)
		}
		for round := range 3 {
			for i, addr := range addrs {
				r.SendTo(a, fmt.Sprint(round, i), 0, addr)
			}
		}
		for _, fd := range fds {
			r.drain(fd, 4)
		}
	})...)
}

func udpErrorScenarios() []scenario {
	list := both("udp/errors/without a peer", func(r *run, family int) {
		fd, _ := r.bound(family, dgram)
		nobody := r.freePort(family, dgram)
		r.SendTo(fd, "untold", 0, nobody)
		r.Poll(fd)
		r.SetInt(fd, socket.SOL_IP, inet.IP_RECVERR, 1)
		r.SetInt(fd, socket.SOL_IPV6, inet.IPV6_RECVERR, 1)
		r.SendTo(fd, "told", 0, nobody)
		r.await(fd, socket.POLLERR)
		r.Poll(fd)
		r.RecvCtl(fd, 16, 200, socket.MSG_ERRQUEUE)
		r.SockErr(fd)
		r.SendTo(fd, "told again", 0, nobody)
		r.await(fd, socket.POLLERR)
		r.SendTo(fd, "fails", 0, nobody)
		r.SockErr(fd)
	})
	list = append(list, both("udp/errors/SO_SELECT_ERR_QUEUE", func(r *run, family int) {
		fd := r.open(family, dgram)
		r.SetInt(fd, socket.SOL_SOCKET, socket.SO_SELECT_ERR_QUEUE, 1)
		r.SetInt(fd, socket.SOL_IP, inet.IP_RECVERR, 1)
		r.SetInt(fd, socket.SOL_IPV6, inet.IPV6_RECVERR, 1)
		r.Connect(fd, r.freePort(family, dgram))
		r.Poll(fd)
		r.Send(fd, "x", 0)
		r.await(fd, socket.POLLERR)
		r.Poll(fd)
		r.SockErr(fd)
		r.Poll(fd)
		r.RecvCtl(fd, 16, 200, socket.MSG_ERRQUEUE)
		r.Poll(fd)
	})...)
	return append(list, both("udp/errors/once", func(r *run, family int) {
		fd := r.open(family, dgram)
		r.Connect(fd, r.freePort(family, dgram))
		r.Send(fd, "x", 0)
		r.await(fd, socket.POLLERR)
		r.Recv(fd, 8, 0)
		r.Recv(fd, 8, socket.MSG_DONTWAIT)
		r.Send(fd, "x", 0)
		r.await(fd, socket.POLLERR)
		r.Send(fd, "x", 0)
		r.await(fd, socket.POLLOUT)
	})...)
}
