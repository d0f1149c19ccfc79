//go:build linux

package oracle

import (
	"encoding/binary"
	"net/netip"

	"github.com/tamanet/tamanet/net/inet"
	"github.com/tamanet/tamanet/net/socket"
	"github.com/tamanet/tamanet/net/tcp"
	"github.com/tamanet/tamanet/net/udp"
)

// onOff are the values of an option that is on or off.
var onOff = []int{1, 0, 2, -1}

// moreInts are more options that are an int, with values to try.
var moreInts = []struct {
	label       string
	level, name int
	values      []int
}{
	{"SO_DEBUG", socket.SOL_SOCKET, socket.SO_DEBUG, onOff},
	{"SO_DONTROUTE", socket.SOL_SOCKET, socket.SO_DONTROUTE, onOff},
	{"SO_OOBINLINE", socket.SOL_SOCKET, socket.SO_OOBINLINE, onOff},
	{"SO_NO_CHECK", socket.SOL_SOCKET, socket.SO_NO_CHECK, onOff},
	{"SO_PRIORITY", socket.SOL_SOCKET, socket.SO_PRIORITY, []int{0, 6, 7, -1}},
	{"SO_BSDCOMPAT", socket.SOL_SOCKET, socket.SO_BSDCOMPAT, onOff},
	{"SO_RCVLOWAT", socket.SOL_SOCKET, socket.SO_RCVLOWAT, []int{0, 1, 100, 4000}},
	{"SO_SNDLOWAT", socket.SOL_SOCKET, socket.SO_SNDLOWAT, []int{1, 100}},
	{"SO_MARK", socket.SOL_SOCKET, socket.SO_MARK, []int{0, 1, -1}},
	{"SO_RXQ_OVFL", socket.SOL_SOCKET, socket.SO_RXQ_OVFL, onOff},
	{"SO_SELECT_ERR_QUEUE", socket.SOL_SOCKET, socket.SO_SELECT_ERR_QUEUE, onOff},
	{"SO_PEEK_OFF", socket.SOL_SOCKET, socket.SO_PEEK_OFF, []int{0, 5, -1, -2}},
	{"SO_BINDTOIFINDEX", socket.SOL_SOCKET, socket.SO_BINDTOIFINDEX, []int{1, 0, -1}},
	{"SO_TIMESTAMP", socket.SOL_SOCKET, socket.SO_TIMESTAMP, onOff},
	{"SO_TIMESTAMPNS", socket.SOL_SOCKET, socket.SO_TIMESTAMPNS, onOff},
	{"SO_TIMESTAMP_NEW", socket.SOL_SOCKET, socket.SO_TIMESTAMP_NEW, onOff},
	{"SO_TIMESTAMPNS_NEW", socket.SOL_SOCKET, socket.SO_TIMESTAMPNS_NEW, onOff},
	{"SO_INCOMING_CPU", socket.SOL_SOCKET, socket.SO_INCOMING_CPU, []int{0, 1, -1}},
	{"SO_INCOMING_NAPI_ID", socket.SOL_SOCKET, socket.SO_INCOMING_NAPI_ID, []int{1}},
	{"SO_BUF_LOCK", socket.SOL_SOCKET, socket.SO_BUF_LOCK, []int{0, 1, 3, 4}},
	{"SO_PEERNAME", socket.SOL_SOCKET, socket.SO_PEERNAME, []int{1}},
	{"SO_PEERSEC", socket.SOL_SOCKET, socket.SO_PEERSEC, []int{1}},

	{"IP_PKTINFO", socket.SOL_IP, inet.IP_PKTINFO, onOff},
	{"IP_RECVTTL", socket.SOL_IP, inet.IP_RECVTTL, onOff},
	{"IP_RECVTOS", socket.SOL_IP, inet.IP_RECVTOS, onOff},
	{"IP_RECVOPTS", socket.SOL_IP, inet.IP_RECVOPTS, onOff},
	{"IP_RECVERR", socket.SOL_IP, inet.IP_RECVERR, onOff},
	{"IP_RECVORIGDSTADDR", socket.SOL_IP, inet.IP_RECVORIGDSTADDR, onOff},
	{"IP_HDRINCL", socket.SOL_IP, inet.IP_HDRINCL, []int{1}},
	{"IP_NODEFRAG", socket.SOL_IP, inet.IP_NODEFRAG, []int{1}},
	{"IP_FREEBIND", socket.SOL_IP, inet.IP_FREEBIND, onOff},
	{"IP_TRANSPARENT", socket.SOL_IP, inet.IP_TRANSPARENT, onOff},
	{"IP_BIND_ADDRESS_NO_PORT", socket.SOL_IP, inet.IP_BIND_ADDRESS_NO_PORT, onOff},
	{"IP_MTU_DISCOVER", socket.SOL_IP, inet.IP_MTU_DISCOVER, []int{0, 1, 2, 3, 4, 5, 6, -1}},
	{"IP_MTU", socket.SOL_IP, inet.IP_MTU, []int{1500}},
	{"IP_MINTTL", socket.SOL_IP, inet.IP_MINTTL, []int{0, 255, 256, -1}},
	{"IP_MULTICAST_TTL", socket.SOL_IP, inet.IP_MULTICAST_TTL, []int{0, 1, 255, 256, -1, -2}},
	{"IP_MULTICAST_LOOP", socket.SOL_IP, inet.IP_MULTICAST_LOOP, onOff},
	{"IP_MULTICAST_ALL", socket.SOL_IP, inet.IP_MULTICAST_ALL, onOff},
	{"IP_RECVERR_RFC4884", socket.SOL_IP, inet.IP_RECVERR_RFC4884, onOff},
	{"IP_PROTOCOL", socket.SOL_IP, inet.IP_PROTOCOL, []int{1}},
	{"IP_LOCAL_PORT_RANGE", socket.SOL_IP, inet.IP_LOCAL_PORT_RANGE, []int{0, 40000, portRange(40000, 40010), portRange(40010, 40000), -1}},

	{"IPV6_RECVPKTINFO", socket.SOL_IPV6, inet.IPV6_RECVPKTINFO, onOff},
	{"IPV6_RECVHOPLIMIT", socket.SOL_IPV6, inet.IPV6_RECVHOPLIMIT, onOff},
	{"IPV6_RECVTCLASS", socket.SOL_IPV6, inet.IPV6_RECVTCLASS, onOff},
	{"IPV6_RECVERR", socket.SOL_IPV6, inet.IPV6_RECVERR, onOff},
	{"IPV6_RECVORIGDSTADDR", socket.SOL_IPV6, inet.IPV6_RECVORIGDSTADDR, onOff},
	{"IPV6_MULTICAST_HOPS", socket.SOL_IPV6, inet.IPV6_MULTICAST_HOPS, []int{0, 1, 255, 256, -1, -2}},
	{"IPV6_MULTICAST_LOOP", socket.SOL_IPV6, inet.IPV6_MULTICAST_LOOP, onOff},
	{"IPV6_MULTICAST_ALL", socket.SOL_IPV6, inet.IPV6_MULTICAST_ALL, onOff},
	{"IPV6_MULTICAST_IF", socket.SOL_IPV6, inet.IPV6_MULTICAST_IF, []int{1, 0, 77, -1}},
	{"IPV6_MTU_DISCOVER", socket.SOL_IPV6, inet.IPV6_MTU_DISCOVER, []int{0, 1, 5, 6, -1}},
	{"IPV6_MINHOPCOUNT", socket.SOL_IPV6, inet.IPV6_MINHOPCOUNT, []int{0, 255, 256, -1}},
	{"IPV6_DONTFRAG", socket.SOL_IPV6, inet.IPV6_DONTFRAG, onOff},
	{"IPV6_FREEBIND", socket.SOL_IPV6, inet.IPV6_FREEBIND, onOff},
	{"IPV6_TRANSPARENT", socket.SOL_IPV6, inet.IPV6_TRANSPARENT, onOff},
	{"IPV6_RECVERR_RFC4884", socket.SOL_IPV6, inet.IPV6_RECVERR_RFC4884, onOff},
	{"IPV6_MTU", socket.SOL_IPV6, inet.IPV6_MTU, []int{1280, 0, 1279}},

	{"TCP_MAXSEG", socket.SOL_TCP, tcp.TCP_MAXSEG, []int{0, 87, 88, 1000, 32767, 32768, -1}},
	{"TCP_CORK", socket.SOL_TCP, tcp.TCP_CORK, onOff},
	{"TCP_SYNCNT", socket.SOL_TCP, tcp.TCP_SYNCNT, []int{1, 127, 0, 128, -1}},
	{"TCP_LINGER2", socket.SOL_TCP, tcp.TCP_LINGER2, []int{0, 1, 60, 120, 121, -1, -5}},
	{"TCP_DEFER_ACCEPT", socket.SOL_TCP, tcp.TCP_DEFER_ACCEPT, []int{0, 1, 2, 3, 10, 100, 1000, -1}},
	{"TCP_WINDOW_CLAMP", socket.SOL_TCP, tcp.TCP_WINDOW_CLAMP, []int{0, 1, 1152, 5000, 100000}},
	{"TCP_QUICKACK", socket.SOL_TCP, tcp.TCP_QUICKACK, []int{0, 1, 2}},
	{"TCP_THIN_LINEAR", socket.SOL_TCP, tcp.TCP_THIN_LINEAR, onOff},
	{"TCP_THIN_DUPACK", socket.SOL_TCP, tcp.TCP_THIN_DUPACK, onOff},
	{"TCP_USER_TIMEOUT", socket.SOL_TCP, tcp.TCP_USER_TIMEOUT, []int{0, 1, 30000, -1}},
	{"TCP_NOTSENT_LOWAT", socket.SOL_TCP, tcp.TCP_NOTSENT, []int{0, 16384, -1}},
	{"TCP_INQ", socket.SOL_TCP, tcp.TCP_INQ, onOff},
	{"TCP_IS_MPTCP", socket.SOL_TCP, tcp.TCP_IS_MPTCP, []int{1}},

	{"UDP_CORK", socket.SOL_UDP, udp.UDP_CORK, onOff},
	{"UDP_SEGMENT", socket.SOL_UDP, udp.UDP_SEGMENT, []int{0, 1, 65535, 65536, -1}},
	{"UDP_NO_CHECK6_TX", socket.SOL_UDP, udp.UDP_NO_CHECK6_TX, onOff},
	{"UDP_NO_CHECK6_RX", socket.SOL_UDP, udp.UDP_NO_CHECK6_RX, onOff},
	{"UDP_GRO", socket.SOL_UDP, udp.UDP_GRO, onOff},
}

func moreOptionScenarios() []scenario {
	var list []scenario
	for _, o := range moreInts {
		list = append(list, both("option/"+o.label, func(r *run, family int) {
			for _, typ := range []int{stream, dgram} {
				fd := r.open(family, typ)
				r.GetOpt(fd, o.level, o.name, 4)
				for _, v := range o.values {
					r.SetInt(fd, o.level, o.name, v)
					r.GetOpt(fd, o.level, o.name, 4)
				}
			}
		})...)
		list = append(list, both("option/"+o.label+"/lengths", func(r *run, family int) {
			for _, typ := range []int{stream, dgram} {
				fd := r.open(family, typ)
				for _, n := range []int{0, 1, 2, 3, 4, 5, 8, 16} {
					b := make([]byte, n)
					if n > 0 {
						b[0] = 1
					}
					r.SetOpt(fd, o.level, o.name, b)
					r.GetOpt(fd, o.level, o.name, n)
				}
			}
		})...)
	}
	list = append(list, deviceScenarios()...)
	return append(list, membershipScenarios()...)
}

// portRange is the value of IP_LOCAL_PORT_RANGE, ip(7), which an int holds on
// 32-bit processors too.
func portRange(low, high uint16) int {
	return int(int32(uint32(high)<<16 | uint32(low)))
}

// deviceScenarios are the options that name an interface, and other bytes.
func deviceScenarios() []scenario {
	list := both("option/SO_BINDTODEVICE", func(r *run, family int) {
		fd := r.open(family, dgram)
		for _, name := range []string{"lo", "lo\x00junk", "", "nothere", "\x00", "a-name-that-is-far-too-long"} {
			r.SetOpt(fd, socket.SOL_SOCKET, socket.SO_BINDTODEVICE, []byte(name))
			for _, n := range []int{0, 4, 15, 16, 20} {
				r.GetOpt(fd, socket.SOL_SOCKET, socket.SO_BINDTODEVICE, n)
			}
		}
	})
	list = append(list, both("option/SO_BINDTODEVICE/carries", func(r *run, family int) {
		a, b := r.peers(family)
		r.SetOpt(a, socket.SOL_SOCKET, socket.SO_BINDTODEVICE, []byte("lo"))
		r.Send(a, "by lo", 0)
		r.Recv(b, 16, 0)
	})...)
	list = append(list, both("option/TCP_CONGESTION", func(r *run, family int) {
		fd := r.open(family, stream)
		for _, name := range []string{"reno", "cubic", "nothere", "", "r", "reno\x00x", "renox", "reno-and-more-than-16"} {
			r.SetOpt(fd, socket.SOL_TCP, tcp.TCP_CONGESTION, []byte(name))
			for _, n := range []int{0, 3, 4, 16, 20} {
				r.GetOpt(fd, socket.SOL_TCP, tcp.TCP_CONGESTION, n)
			}
		}
	})...)
	list = append(list, both("option/SO_SNDBUFFORCE", func(r *run, family int) {
		fd := r.open(family, stream)
		for _, v := range []int{0, 5000, -1, 50000000} {
			r.SetInt(fd, socket.SOL_SOCKET, socket.SO_SNDBUFFORCE, v)
			r.GetOpt(fd, socket.SOL_SOCKET, socket.SO_SNDBUF, 4)
			r.SetInt(fd, socket.SOL_SOCKET, socket.SO_RCVBUFFORCE, v)
			r.GetOpt(fd, socket.SOL_SOCKET, socket.SO_RCVBUF, 4)
		}
		r.GetOpt(fd, socket.SOL_SOCKET, socket.SO_SNDBUFFORCE, 4)
	})...)
	list = append(list, both("option/SO_COOKIE", func(r *run, family int) {
		fd := r.open(family, stream)
		var first, second, other [8]byte
		n, err := r.getsockopt(fd, socket.SOL_SOCKET, socket.SO_COOKIE, first[:])
		r.outcome("SO_COOKIE", err, n)
		r.getsockopt(fd, socket.SOL_SOCKET, socket.SO_COOKIE, second[:])
		r.getsockopt(r.open(family, stream), socket.SOL_SOCKET, socket.SO_COOKIE, other[:])
		r.outcome("same", nil, first == second, first == other)
		_, err = r.getsockopt(fd, socket.SOL_SOCKET, socket.SO_COOKIE, first[:4])
		r.outcome("short", err)
		r.SetInt(fd, socket.SOL_SOCKET, socket.SO_COOKIE, 1)
	})...)
	list = append(list, both("option/SO_MEMINFO", func(r *run, family int) {
		fd := r.open(family, dgram)
		r.SetInt(fd, socket.SOL_SOCKET, socket.SO_SNDBUF, 20000)
		r.SetInt(fd, socket.SOL_SOCKET, socket.SO_RCVBUF, 20000)
		for _, n := range []int{0, 3, 4, 36, 40} {
			r.GetOpt(fd, socket.SOL_SOCKET, socket.SO_MEMINFO, n)
		}
		r.SetInt(fd, socket.SOL_SOCKET, socket.SO_MEMINFO, 1)
	})...)
	list = append(list, both("option/SO_PEERNAME/connected", func(r *run, family int) {
		client, server, _ := r.connected(family)
		for _, n := range []int{0, 4, 16, 28, 40} {
			b := make([]byte, n)
			got, err := r.getsockopt(client, socket.SOL_SOCKET, socket.SO_PEERNAME, b)
			a, _ := socket.ParseSockaddr(b[:max(0, min(got, n))])
			r.outcome("SO_PEERNAME", err, got, r.addr(a))
		}
		_ = server
	})...)
	list = append(list, both("option/IP_MTU/connected", func(r *run, family int) {
		a, _ := r.peers(family)
		r.GetOpt(a, socket.SOL_IP, inet.IP_MTU, 4)
		r.GetOpt(a, socket.SOL_IPV6, inet.IPV6_MTU, 4)
	})...)
	list = append(list, both("option/IP_LOCAL_PORT_RANGE/picks", func(r *run, family int) {
		for _, typ := range []int{stream, dgram} {
			var b [4]byte
			binary.NativeEndian.PutUint32(b[:], 40077<<16|40077)
			fd := r.open(family, typ)
			r.SetOpt(fd, socket.SOL_IP, inet.IP_LOCAL_PORT_RANGE, b[:])
			r.Bind(fd, lo(family, 0))
			a, err := r.getsockname(fd)
			r.outcome("port", err, a.Port)
			other := r.open(family, typ)
			r.SetOpt(other, socket.SOL_IP, inet.IP_LOCAL_PORT_RANGE, b[:])
			r.Bind(other, lo(family, 0))
		}
	})...)
	return append(list, both("option/without privilege asked", func(r *run, family int) {
		fd := r.open(family, dgram)
		r.SetInt(fd, socket.SOL_SOCKET, socket.SO_PRIORITY, 7)
		r.SetInt(fd, socket.SOL_IP, inet.IP_TRANSPARENT, 1)
	})...)
}

// membershipScenarios are about multicast groups.
func membershipScenarios() []scenario {
	group, local := netip.MustParseAddr("239.1.2.3"), netip.MustParseAddr("127.0.0.1")
	mreq := func(group, local netip.Addr) []byte { return append(group.AsSlice(), local.AsSlice()...) }
	mreqn := func(group, local netip.Addr, index uint32) []byte {
		return binary.NativeEndian.AppendUint32(mreq(group, local), index)
	}
	mreq6 := func(group string, index uint32) []byte {
		return binary.NativeEndian.AppendUint32(netip.MustParseAddr(group).AsSlice(), index)
	}
	any4 := netip.IPv4Unspecified()
	list := both("option/IP_ADD_MEMBERSHIP", func(r *run, family int) {
		for _, typ := range []int{stream, dgram} {
			fd := r.open(family, typ)
			for _, v := range [][]byte{
				mreq(group, local), mreq(group, local), mreqn(group, any4, 1), mreqn(group, any4, 77),
				mreq(local, local), mreq(group, netip.MustParseAddr("192.0.2.1")), nil, mreq(group, local)[:7],
			} {
				r.SetOpt(fd, socket.SOL_IP, inet.IP_ADD_MEMBERSHIP, v)
			}
			for _, v := range [][]byte{mreqn(group, any4, 1), mreqn(group, any4, 1), mreq(local, local), nil} {
				r.SetOpt(fd, socket.SOL_IP, inet.IP_DROP_MEMBERSHIP, v)
			}
			r.GetOpt(fd, socket.SOL_IP, inet.IP_ADD_MEMBERSHIP, 8)
		}
	})
	list = append(list, both("option/IPV6_ADD_MEMBERSHIP", func(r *run, family int) {
		for _, typ := range []int{stream, dgram} {
			fd := r.open(family, typ)
			for _, v := range [][]byte{
				mreq6("ff02::77", 1), mreq6("ff02::77", 1), mreq6("ff02::77", 88), mreq6("::1", 1), nil, mreq6("ff02::77", 1)[:19],
			} {
				r.SetOpt(fd, socket.SOL_IPV6, inet.IPV6_ADD_MEMBERSHIP, v)
			}
			for _, v := range [][]byte{mreq6("ff02::77", 1), mreq6("ff02::77", 1), nil} {
				r.SetOpt(fd, socket.SOL_IPV6, inet.IPV6_DROP_MEMBERSHIP, v)
			}
		}
	})...)
	list = append(list, both("option/IP_MULTICAST_IF", func(r *run, family int) {
		for _, typ := range []int{stream, dgram} {
			fd := r.open(family, typ)
			for _, v := range [][]byte{
				local.AsSlice(), mreqn(group, any4, 1), mreqn(group, any4, 77), mreq(group, local), any4.AsSlice(), nil, {1},
				netip.MustParseAddr("192.0.2.1").AsSlice(),
			} {
				r.SetOpt(fd, socket.SOL_IP, inet.IP_MULTICAST_IF, v)
				r.GetOpt(fd, socket.SOL_IP, inet.IP_MULTICAST_IF, 4)
			}
			r.GetOpt(fd, socket.SOL_IP, inet.IP_MULTICAST_IF, 2)
		}
	})...)
	return append(list, scenario{"option/multicast arrives", func(r *run) {
		fd := r.open(inet4, dgram)
		must(r, 0, r.bind(fd, at("0.0.0.0", 7777)))
		r.SetOpt(fd, socket.SOL_IP, inet.IP_ADD_MEMBERSHIP, mreq(group, local))
		sender := r.open(inet4, dgram)
		r.SetOpt(sender, socket.SOL_IP, inet.IP_MULTICAST_IF, local.AsSlice())
		r.SendTo(sender, "to all", 0, at("239.1.2.3", 7777))
		r.receiveTimeout(fd, 1000)
		r.Recv(fd, 16, 0)
		r.SetInt(sender, socket.SOL_IP, inet.IP_MULTICAST_LOOP, 0)
		r.SendTo(sender, "to others", 0, at("239.1.2.3", 7777))
		r.Recv(fd, 16, socket.MSG_DONTWAIT)
	}})
}
