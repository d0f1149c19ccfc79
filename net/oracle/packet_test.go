//go:build linux

package oracle

import (
	"encoding/binary"
	"fmt"
	"strings"

	"golang.org/x/net/bpf"

	"github.com/tamanet/tamanet/net/packet"
	"github.com/tamanet/tamanet/net/socket"
)

// etherType is one for experiments, which nothing else speaks (IEEE 802).
const etherType = 0x88b5

// loopback is the index of lo in a fresh namespace.
const loopback = 1

func ll(ifindex int32, protocol uint16) socket.Sockaddr {
	return packet.SockaddrLL{Ifindex: ifindex, Protocol: protocol}.Sockaddr()
}

// frame is one from no address to none, as they are on lo.
func frame(protocol uint16, payload string) string {
	var h [14]byte
	binary.BigEndian.PutUint16(h[12:], protocol)
	return string(h[:]) + payload
}

var packetTypes = map[int]string{socket.SOCK_RAW: "raw", dgram: "dgram"}

// privileged makes a scenario of sockets that need CAP_NET_RAW.
func privileged(name string, f func(r *unixRun)) scenario {
	s := unixScenario("", f)
	s.name = name
	return s
}

// mayRaw reports whether Linux lets the test make such sockets, and says why
// scenarios are left out if not.
func mayRaw(what string) bool {
	fd, err := linux{}.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
	if err != nil {
		fmt.Printf("oracle: %s scenarios are skipped: no CAP_NET_RAW: %s\n", what, errorName(err))
		return false
	}
	linux{}.close(fd)
	return true
}

// packetName writes a link-layer address.
func packetName(a socket.Sockaddr) string {
	if p, err := packet.ParseSockaddrLL(a); err == nil {
		return fmt.Sprintf("packet %+v length %d", p, a.Len)
	}
	return fmt.Sprintf("packet %q length %d", a.Data, a.Len)
}

func packetScenarios() (list []scenario) {
	if !mayRaw("AF_PACKET") {
		return nil
	}
	each := func(name string, f func(r *unixRun, typ int)) {
		for typ, label := range packetTypes {
			list = append(list, privileged("packet/"+name+"/"+label, func(r *unixRun) { f(r, typ) }))
		}
	}
	open := func(r *unixRun, typ int, protocol uint16) int {
		fd, err := r.socket(socket.AF_PACKET, typ, packet.Htons(protocol))
		must(r.run, fd, err)
		r.own(fd)
		return fd
	}
	for _, typ := range []int{0, 1, 2, 3, 4, 5, 10, 11} {
		for _, protocol := range []int{0, packet.Htons(packet.ETH_P_ALL), packet.Htons(etherType), 1 << 20, -1} {
			list = append(list, privileged(fmt.Sprintf("packet/create/type %d protocol %#x", typ, protocol), func(r *unixRun) {
				r.Socket(socket.AF_PACKET, typ, protocol)
				_, err := r.socketpair(socket.AF_PACKET, typ, protocol)
				r.outcome("socketpair", err)
			}))
		}
	}
	each("fresh", func(r *unixRun, typ int) {
		fd := open(r, typ, etherType)
		r.SockName(fd)
		r.PeerName(fd)
		r.pollNow(fd)
		r.FionRead(fd)
		for _, name := range []int{
			socket.SO_TYPE, socket.SO_DOMAIN, socket.SO_PROTOCOL, socket.SO_ERROR, socket.SO_ACCEPTCONN, socket.SO_RCVBUF,
		} {
			r.GetOpt(fd, socket.SOL_SOCKET, name, 4)
		}
		r.Connect(fd, ll(loopback, etherType))
		r.Listen(fd, 1)
		r.Accept(fd, 0)
		r.Shutdown(fd, socket.SHUT_RD)
		r.Recv(fd, 1, socket.MSG_DONTWAIT)
		for _, flags := range []int{socket.MSG_OOB, socket.MSG_WAITALL, socket.MSG_ERRQUEUE, socket.MSG_EOR, socket.MSG_PEEK} {
			r.Recv(fd, 1, flags|socket.MSG_DONTWAIT)
		}
	})
	each("bind", func(r *unixRun, typ int) {
		fd := open(r, typ, 0)
		for _, n := range []uint16{0, 2, 12, 18, 19} {
			r.Bind(fd, cut(ll(loopback, etherType), n))
		}
		a := ll(loopback, etherType)
		a.Family = inet4
		r.Bind(fd, a)
		r.Bind(fd, ll(99, etherType))
		r.Bind(fd, ll(-1, etherType))
		r.SockName(fd)
		r.Bind(fd, ll(loopback, etherType))
		r.SockName(fd)
		r.Bind(fd, ll(loopback, etherType))
		r.Bind(fd, ll(0, packet.ETH_P_ARP))
		r.SockName(fd)
		r.Bind(fd, ll(loopback, 0))
		r.SockName(fd)
	})
	each("send and receive", func(r *unixRun, typ int) {
		in := open(r, typ, etherType)
		out := open(r, typ, 0)
		data := "hello, link"
		if typ == socket.SOCK_RAW {
			data = frame(etherType, data)
		}
		r.SendTo(out, data, 0, ll(loopback, etherType))
		r.pollNow(in)
		r.FionRead(in)
		r.Recv(in, 4, socket.MSG_PEEK)
		r.RecvMsg(in, socket.MSG_PEEK|socket.MSG_TRUNC, 4)
		r.RecvMsg(in, 0, 10, 100)
		r.FionRead(in)
		r.Recv(in, 4, socket.MSG_DONTWAIT)
		r.SendTo(out, data, 0, ll(loopback, etherType))
		r.RecvMsg(in, 0, 4)
		must(r.run, 0, r.bind(out, ll(loopback, etherType)))
		r.Send(out, data, 0)
		r.Recv(in, 100, 0)
		r.Recv(out, 100, 0)
	})
	each("send refused", func(r *unixRun, typ int) {
		out := open(r, typ, 0)
		r.Send(out, "no interface", 0)
		r.SendTo(out, "another", 0, ll(99, etherType))
		r.SendTo(out, "none", 0, ll(0, etherType))
		for _, n := range []uint16{2, 12, 18, 19} {
			r.SendTo(out, frame(etherType, "x"), 0, cut(ll(loopback, etherType), n))
		}
		long := ll(loopback, etherType)
		b := []byte(long.Data)
		b[9] = 9 // sll_halen
		long.Data = string(b)
		r.SendTo(out, frame(etherType, "x"), 0, long)
		r.SendTo(out, "", 0, ll(loopback, etherType))
		for _, n := range []int{1, 13, 14, 15, 65535, 65550, 65551, 65554, 65555, 70000} {
			k, err := r.sendto(out, []byte(frame(etherType, strings.Repeat("x", 70000))[:n]), 0, ll(loopback, etherType))
			r.outcome(fmt.Sprintf("sendto %d", n), err, k)
		}
	})
	each("all protocols", func(r *unixRun, typ int) {
		in := open(r, typ, 0)
		// Nothing of other connections.
		off := uint32(0)
		if typ == socket.SOCK_RAW {
			off = 14
		}
		r.Attach(in, program(bpf.LoadAbsolute{Off: off, Size: 4},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0x66697273, SkipTrue: 1}, bpf.RetConstant{}, bpf.RetConstant{Val: 1 << 16}))
		r.Bind(in, ll(0, packet.ETH_P_ALL))
		out := open(r, socket.SOCK_RAW, 0)
		r.SendTo(out, frame(etherType, "first"), 0, ll(loopback, etherType))
		r.SendTo(out, frame(etherType, "second"), 0, ll(loopback, etherType))
		for range 3 {
			r.Recv(in, 100, socket.MSG_DONTWAIT)
		}
		r.SetInt(in, socket.SOL_PACKET, packet.PACKET_IGNORE_OUTGOING, 1)
		r.SendTo(out, frame(etherType, "first"), 0, ll(loopback, etherType))
		for range 2 {
			r.Recv(in, 100, socket.MSG_DONTWAIT)
		}
	})
	each("the protocol of the header", func(r *unixRun, typ int) {
		in := open(r, typ, etherType)
		out := open(r, socket.SOCK_RAW, 0)
		for _, protocol := range []uint16{0, packet.ETH_P_ALL, packet.ETH_P_ARP, etherType} {
			r.SendTo(out, frame(etherType, "x"), 0, ll(loopback, protocol))
			r.Recv(in, 100, socket.MSG_DONTWAIT)
		}
	})
	each("a UDP packet", func(r *unixRun, typ int) {
		in := open(r, typ, packet.ETH_P_IP)
		off := uint32(0)
		if typ == socket.SOCK_RAW {
			off = 14
		}
		// To port 19999, the IP and UDP headers and the first bytes.
		r.Attach(in, program(bpf.LoadAbsolute{Off: off + 22, Size: 2},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: 19999, SkipTrue: 1}, bpf.RetConstant{},
			bpf.LoadAbsolute{Off: off + 28, Size: 1}, bpf.RetA{}))
		to, _ := r.bound(inet4, dgram)
		_ = to
		sink := r.open(inet4, dgram)
		r.Bind(sink, lo(inet4, 19999))
		src := r.open(inet4, dgram)
		r.SendTo(src, "\x1dpayload", 0, lo(inet4, 19999))
		r.await(sink, socket.POLLIN)
		r.note("queued %v", r.queued(in))
	})
	each("statistics", func(r *unixRun, typ int) {
		in := open(r, typ, etherType)
		out := open(r, socket.SOCK_RAW, 0)
		stats := func() {
			for _, n := range []int{0, 4, 8, 12, 16} {
				r.GetOpt(in, socket.SOL_PACKET, packet.PACKET_STATISTICS, n)
			}
		}
		stats()
		r.SendTo(out, frame(etherType, "one"), 0, ll(loopback, etherType))
		r.SendTo(out, frame(etherType, "two"), 0, ll(loopback, etherType))
		stats()
		r.SetInt(in, socket.SOL_PACKET, packet.PACKET_STATISTICS, 0)
		r.SetInt(in, socket.SOL_PACKET, packet.PACKET_VERSION, packet.TPACKET_V3)
		stats()
	})
	each("options", func(r *unixRun, typ int) {
		fd := open(r, typ, etherType)
		for _, name := range []int{packet.PACKET_AUXDATA, packet.PACKET_ORIGDEV, packet.PACKET_VERSION, packet.PACKET_IGNORE_OUTGOING} {
			for _, v := range []int{-1, 0, 1, 2, 3, 7} {
				r.SetInt(fd, socket.SOL_PACKET, name, v)
				r.GetOpt(fd, socket.SOL_PACKET, name, 4)
			}
			r.SetOpt(fd, socket.SOL_PACKET, name, make([]byte, 2))
			r.SetOpt(fd, socket.SOL_PACKET, name, nil)
			r.GetOpt(fd, socket.SOL_PACKET, name, 2)
			r.GetOpt(fd, socket.SOL_PACKET, name, 8)
		}
		for _, name := range []int{0, 1, 2, 3, 99, -1} {
			r.GetOpt(fd, socket.SOL_PACKET, name, 8)
		}
		for _, name := range []int{0, 3, 6, 99, -1} {
			r.SetInt(fd, socket.SOL_PACKET, name, 1)
		}
		for _, level := range []int{0, 6, 41, 255} {
			r.SetInt(fd, level, 1, 1)
			r.GetOpt(fd, level, 1, 4)
		}
	})
	each("membership", func(r *unixRun, typ int) {
		fd := open(r, typ, etherType)
		mreq := func(ifindex uint32, kind, alen uint16, size int) []byte {
			b := binary.NativeEndian.AppendUint32(nil, ifindex)
			b = binary.NativeEndian.AppendUint16(b, kind)
			b = binary.NativeEndian.AppendUint16(b, alen)
			return append(b, make([]byte, size-8)...)
		}
		for _, name := range []int{packet.PACKET_ADD_MEMBERSHIP, packet.PACKET_DROP_MEMBERSHIP} {
			for kind := range uint16(5) {
				for _, alen := range []uint16{0, 6, 7, 8, 9, 32} {
					r.note("kind %d alen %d", kind, alen)
					r.SetOpt(fd, socket.SOL_PACKET, name, mreq(loopback, kind, alen, 16))
				}
			}
			r.SetOpt(fd, socket.SOL_PACKET, name, mreq(99, packet.PACKET_MR_PROMISC, 0, 16))
			r.SetOpt(fd, socket.SOL_PACKET, name, mreq(0, packet.PACKET_MR_PROMISC, 0, 16))
			for _, n := range []int{8, 15, 16, 40, 50} {
				r.SetOpt(fd, socket.SOL_PACKET, name, mreq(loopback, packet.PACKET_MR_PROMISC, 0, n))
			}
		}
	})
	each("auxdata", func(r *unixRun, typ int) {
		in := open(r, typ, etherType)
		out := open(r, socket.SOCK_RAW, 0)
		r.SetInt(in, socket.SOL_PACKET, packet.PACKET_AUXDATA, 1)
		r.Attach(in, program(bpf.RetConstant{Val: 20}))
		for _, room := range []int{-1, 0, 20, 36, 40, 100} {
			r.SendTo(out, frame(etherType, "0123456789"), 0, ll(loopback, etherType))
			r.RecvCtl(in, 100, room, 0)
		}
	})
	each("receive buffer", func(r *unixRun, typ int) {
		in := open(r, typ, etherType)
		out := open(r, socket.SOCK_RAW, 0)
		r.SetInt(in, socket.SOL_SOCKET, socket.SO_RCVBUF, 0)
		for range 20 {
			must(r.run, 0, second(r.sendto(out, []byte(frame(etherType, strings.Repeat("x", 1000))), 0, ll(loopback, etherType))))
		}
		var b [8]byte
		_, err := r.getsockopt(in, socket.SOL_PACKET, packet.PACKET_STATISTICS, b[:])
		r.outcome("statistics", err, binary.NativeEndian.Uint32(b[:]), "some dropped", binary.NativeEndian.Uint32(b[4:]) > 0)
	})
	list = append(list, privileged("packet/spkt", func(r *unixRun) {
		in, err := r.socket(inet4, socket.SOCK_PACKET, packet.Htons(etherType))
		must(r.run, in, err)
		r.own(in)
		for _, name := range []int{socket.SO_TYPE, socket.SO_DOMAIN} {
			r.GetOpt(in, socket.SOL_SOCKET, name, 4)
		}
		device := func(name string, n uint16) socket.Sockaddr {
			return socket.Sockaddr{Family: socket.AF_PACKET, Len: n, Data: name + strings.Repeat("\x00", 16-len(name))}
		}
		name := func() {
			a, err := r.getsockname(in)
			r.outcome("getsockname", err, a.Family, a.Len, fmt.Sprintf("%q", a.Data))
		}
		name()
		for _, n := range []uint16{0, 2, 15, 17, 18, 20} {
			r.Bind(in, device("lo", n))
		}
		r.Bind(in, device("nothing", 16))
		r.Bind(in, device("lo", 16))
		name()
		r.PeerName(in)
		r.SetInt(in, socket.SOL_PACKET, packet.PACKET_AUXDATA, 1)
		r.GetOpt(in, socket.SOL_PACKET, packet.PACKET_AUXDATA, 4)
		r.Send(in, frame(etherType, "x"), 0)
		for _, n := range []uint16{2, 15, 16, 17, 18} {
			r.SendTo(in, frame(etherType, "x"), 0, device("lo", n))
		}
		r.SendTo(in, frame(etherType, "x"), 0, device("nothing", 18))
		r.SendTo(in, "x", 0, device("lo", 18))
		for range 4 {
			b := make([]byte, 100)
			n, from, err := r.recvfrom(in, b, socket.MSG_DONTWAIT)
			r.outcome("recv", err, n, quote(b, n), from.Family, from.Len, fmt.Sprintf("%q", from.Data))
		}
	}))
	return list
}

func second(_ int, err error) error { return err }

// queued is how many bytes the next packet has, once there is one.
func (r *unixRun) queued(fd int) int {
	r.await(fd, socket.POLLIN)
	n, err := r.fionread(fd)
	return must(r.run, n, err)
}
