//go:build linux

package oracle

import (
	"encoding/binary"
	"fmt"
	"os"
	"strings"

	"golang.org/x/net/bpf"

	"github.com/tamanet/tamanet/net/raw"
	"github.com/tamanet/tamanet/net/socket"
)

// protocolOf is ICMP's number in a family.
func protocolOf(family int) int {
	if family == inet6 {
		return socket.IPPROTO_ICMPV6
	}
	return socket.IPPROTO_ICMP
}

// echo is an echo request; the checksum is left to who sends it.
func echo(family int, id, seq uint16, data string) string {
	b := make([]byte, 8)
	b[0] = 8
	if family == inet6 {
		b[0] = 128
	}
	binary.BigEndian.PutUint16(b[4:], id)
	binary.BigEndian.PutUint16(b[6:], seq)
	return string(b) + data
}

// checksummed fills in an IPv4 ICMP message's checksum (RFC 1071).
func checksummed(s string) string {
	b := []byte(s)
	sum := uint32(0)
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	if len(b)&1 != 0 {
		sum += uint32(b[len(b)-1]) << 8
	}
	for sum>>16 != 0 {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(b[2:], ^uint16(sum))
	return string(b)
}

// mayPing lets the test's own namespace make ping sockets.
func mayPing() bool {
	const path = "/proc/sys/net/ipv4/ping_group_range"
	if os.Getenv(inNamespace) == "" {
		fmt.Println("oracle: ping scenarios are skipped: no namespace of the test's own")
		return false
	}
	if err := os.WriteFile(path, []byte("0 2147483647"), 0); err != nil {
		fmt.Println("oracle: ping scenarios are skipped:", err)
		return false
	}
	return true
}

// pingReply notes a message of ICMP: its type, code, whether the identifier is
// the socket's, sequence and data.
func (r *run) pingReply(fd, flags int) {
	var id uint16
	if a, err := r.getsockname(fd); err == nil {
		id = a.Port
	}
	b := make([]byte, 100)
	n, from, err := r.recvfrom(fd, b, flags)
	if err != nil || n < 8 {
		r.outcome("reply", err, n)
		return
	}
	r.outcome("reply", nil, b[0], b[1], binary.BigEndian.Uint16(b[4:]) == id, binary.BigEndian.Uint16(b[6:]),
		fmt.Sprintf("%q", b[8:min(n, len(b))]), from.IP(), from.Port, from.Len)
}

func pingScenarios() (list []scenario) {
	if !mayPing() {
		return nil
	}
	add := func(name string, f func(r *run, family, fd int)) {
		list = append(list, both("ping/"+name, func(r *run, family int) {
			fd, err := r.socket(family, dgram, protocolOf(family))
			must(r, fd, err)
			r.own(fd)
			f(r, family, fd)
		})...)
	}
	add("fresh", func(r *run, family, fd int) {
		r.SockName(fd)
		r.PeerName(fd)
		r.Poll(fd)
		r.FionRead(fd)
		r.Listen(fd, 1)
		r.Accept(fd, 0)
		r.Recv(fd, 1, socket.MSG_DONTWAIT)
		r.Recv(fd, 1, socket.MSG_DONTWAIT|socket.MSG_OOB)
		r.Recv(fd, 1, socket.MSG_ERRQUEUE)
		for _, name := range []int{socket.SO_TYPE, socket.SO_PROTOCOL, socket.SO_DOMAIN} {
			r.GetOpt(fd, socket.SOL_SOCKET, name, 4)
		}
		for _, level := range []int{6, 17, 255, 263} {
			r.SetInt(fd, level, 1, 1)
			r.GetOpt(fd, level, 1, 4)
		}
	})
	add("echo", func(r *run, family, fd int) {
		for seq := range uint16(3) {
			r.SendTo(fd, echo(family, 99, seq, "hello"), 0, lo(family, 0))
			r.await(fd, socket.POLLIN)
			r.pingReply(fd, 0)
		}
		r.SendTo(fd, echo(family, 0, 7, ""), 0, lo(family, 1234))
		r.await(fd, socket.POLLIN)
		r.Poll(fd)
		r.pingReply(fd, socket.MSG_PEEK)
		r.Recv(fd, 2, socket.MSG_TRUNC)
	})
	add("bound", func(r *run, family, fd int) {
		r.Bind(fd, lo(family, 4321))
		r.SockName(fd)
		r.Bind(fd, lo(family, 4322))
		r.SendTo(fd, echo(family, 99, 1, "x"), 0, lo(family, 0))
		r.await(fd, socket.POLLIN)
		r.pingReply(fd, 0)
	})
	add("bind refused", func(r *run, family, fd int) {
		for _, n := range []uint16{0, 2, 8, 15, 16, 23} {
			r.Bind(fd, cut(at(map[int]string{inet4: "203.0.113.1", inet6: "2001:db8::1"}[family], 5), n))
		}
		r.Bind(fd, lo(inet4+inet6-family, 5))
		r.Bind(fd, at(map[int]string{inet4: "203.0.113.1", inet6: "2001:db8::1"}[family], 5))
	})
	add("bind of the old length", func(r *run, family, fd int) {
		r.Bind(fd, cut(lo(family, 5), 24))
	})
	add("connected", func(r *run, family, fd int) {
		r.Send(fd, echo(family, 0, 1, "x"), 0)
		r.Connect(fd, lo(family, 77))
		r.Send(fd, echo(family, 0, 1, "x"), 0)
		r.await(fd, socket.POLLIN)
		r.pingReply(fd, 0)
	})
	add("refused", func(r *run, family, fd int) {
		to := lo(family, 0)
		for _, n := range []int{0, 1, 7} {
			r.SendTo(fd, echo(family, 0, 0, "")[:n], 0, to)
		}
		for _, b := range [][2]byte{{0, 0}, {8, 1}, {3, 0}, {128, 1}, {129, 0}, {13, 0}} {
			r.SendTo(fd, string(b[:])+"\x00\x00\x00\x00\x00\x00", 0, to)
		}
		r.SendTo(fd, echo(family, 0, 0, "x"), socket.MSG_OOB, to)
		for _, n := range []uint16{2, 8, 15, 16, 23, 24, 27} {
			r.SendTo(fd, echo(family, 0, 0, "x"), 0, cut(to, n))
		}
		r.SendTo(fd, echo(family, 0, 0, "x"), 0, lo(inet4+inet6-family, 0))
		k, err := r.sendto(fd, []byte(echo(family, 0, 0, strings.Repeat("x", 65528))), 0, to)
		r.outcome("sendto 65536", err, k)
	})
	return list
}

func rawScenarios() (list []scenario) {
	if !mayRaw("raw IP") {
		return nil
	}
	const experiment = 254 // RFC 3692
	add := func(name string, protocol func(family int) int, f func(r *run, family, fd int)) {
		list = append(list, both("raw/"+name, func(r *run, family int) {
			fd, err := r.socket(family, socket.SOCK_RAW, protocol(family))
			must(r, fd, err)
			r.own(fd)
			f(r, family, fd)
		})...)
	}
	other := func(int) int { return experiment }
	for _, protocol := range []int{0, 1, 6, 17, 58, 200, 253, 254, 255, 256, 262, 263, -1} {
		list = append(list, both(fmt.Sprintf("raw/create/%d", protocol), func(r *run, family int) {
			fd := r.Socket(family, socket.SOCK_RAW, protocol)
			r.SockName(fd)
		})...)
	}
	add("fresh", other, func(r *run, family, fd int) {
		r.SockName(fd)
		r.PeerName(fd)
		r.Poll(fd)
		r.FionRead(fd)
		r.Listen(fd, 1)
		r.Accept(fd, 0)
		r.Shutdown(fd, socket.SHUT_RD)
		r.Recv(fd, 1, socket.MSG_DONTWAIT)
		r.Recv(fd, 1, socket.MSG_DONTWAIT|socket.MSG_OOB)
		r.Recv(fd, 1, socket.MSG_ERRQUEUE)
		r.Send(fd, "x", 0)
		for _, name := range []int{socket.SO_TYPE, socket.SO_PROTOCOL, socket.SO_DOMAIN} {
			r.GetOpt(fd, socket.SOL_SOCKET, name, 4)
		}
	})
	add("send and receive", other, func(r *run, family, fd int) {
		out, err := r.socket(family, socket.SOCK_RAW, experiment)
		must(r, out, err)
		r.own(out)
		r.SendTo(out, "payload", 0, lo(family, 0))
		r.await(fd, socket.POLLIN)
		r.Poll(fd)
		r.FionRead(fd)
		r.rawPacket(fd, family, socket.MSG_PEEK)
		r.rawPacket(fd, family, 0)
		r.rawPacket(out, family, 0)
		r.Recv(fd, 4, socket.MSG_DONTWAIT)
		r.SendTo(out, "payload", 0, lo(family, 0))
		r.await(fd, socket.POLLIN)
		r.Recv(fd, 0, socket.MSG_TRUNC)
	})
	add("refused", other, func(r *run, family, fd int) {
		to := lo(family, 0)
		for _, n := range []uint16{2, 8, 15, 16, 23, 24, 27} {
			r.SendTo(fd, "x", 0, cut(to, n))
		}
		r.SendTo(fd, "x", 0, lo(inet4+inet6-family, 0))
		r.SendTo(fd, "x", socket.MSG_OOB, to)
		for _, port := range []uint16{1, experiment, 253, 256, 1000} {
			r.SendTo(fd, "x", 0, lo(family, port))
		}
		k, err := r.sendto(fd, make([]byte, 65536), 0, to)
		r.outcome("sendto 65536", err, k)
	})
	add("bind", other, func(r *run, family, fd int) {
		for _, n := range []uint16{0, 2, 8, 15, 16, 23} {
			if family == inet6 || n < 16 {
				r.Bind(fd, cut(lo(family, 5), n))
			}
		}
		r.Bind(fd, lo(inet4+inet6-family, 5))
		r.Bind(fd, at(map[int]string{inet4: "203.0.113.1", inet6: "2001:db8::1"}[family], 5))
		r.Bind(fd, lo(family, 5))
		r.SockName(fd)
		r.Bind(fd, wildcard(family, 6))
		r.SockName(fd)
	})
	add("connect", other, func(r *run, family, fd int) {
		r.Connect(fd, cut(lo(family, 5), 2))
		r.Connect(fd, lo(family, 0))
		r.PeerName(fd)
		r.SockName(fd)
		r.Send(fd, "to itself", 0)
		r.await(fd, socket.POLLIN)
		r.rawPacket(fd, family, 0)
		r.Bind(fd, lo(family, 0))
		r.Connect(fd, lo(family, experiment))
		r.PeerName(fd)
		r.Connect(fd, unspec)
		r.PeerName(fd)
		r.Send(fd, "nowhere", 0)
	})
	add("echo", protocolOf, func(r *run, family, fd int) {
		// Only replies, as on Linux the requests come in too.
		if family == inet4 {
			r.SetOpt(fd, socket.SOL_RAW, raw.ICMP_FILTER, binary.NativeEndian.AppendUint32(nil, ^uint32(1)))
		} else {
			block := []byte(strings.Repeat("\xff", 32))
			block[16] = 0xfd // 129
			r.SetOpt(fd, socket.SOL_ICMPV6, raw.ICMPV6_FILTER, block)
		}
		r.SendTo(fd, checksummed(echo(family, 99, 1, "hello")), 0, lo(family, 0))
		r.await(fd, socket.POLLIN)
		r.rawPacket(fd, family, 0)
		r.Recv(fd, 1, socket.MSG_DONTWAIT)
	})
	add("filtered", other, func(r *run, family, fd int) {
		off := uint32(0)
		if family == inet4 {
			off = 20
		}
		prog := program(bpf.LoadAbsolute{Off: off, Size: 1}, bpf.JumpIf{Cond: bpf.JumpEqual, Val: 'y', SkipTrue: 1},
			bpf.RetConstant{}, bpf.RetConstant{Val: 1 << 16})
		r.outcome("attach", r.sys.(controlSys).attach(fd, prog))
		for _, s := range []string{"no", "yes", "never"} {
			r.SendTo(fd, s, 0, lo(family, 0))
		}
		r.await(fd, socket.POLLIN)
		r.rawPacket(fd, family, 0)
		r.Recv(fd, 1, socket.MSG_DONTWAIT)
	})
	for _, c := range []struct {
		label    string
		protocol func(int) int
	}{{"icmp", protocolOf}, {"other", other}} {
		add("options/"+c.label, c.protocol, func(r *run, family, fd int) {
			for _, level := range []int{socket.SOL_RAW, socket.SOL_ICMPV6} {
				for _, name := range []int{1, 2} {
					if level == socket.SOL_RAW && family == inet6 && name == 1 {
						continue
					}
					for _, n := range []int{0, 1, 4, 8, 32, 40} {
						r.SetOpt(fd, level, name, []byte(strings.Repeat("\x05", n)))
						r.GetOpt(fd, level, name, n)
					}
				}
			}
			for _, v := range []int{0, 1} {
				r.SetInt(fd, socket.SOL_IP, 3, v)
				if family == inet4 {
					r.GetOpt(fd, socket.SOL_IP, 3, 4)
				}
			}
			if family == inet6 {
				for _, level := range []int{socket.SOL_IPV6, socket.SOL_RAW} {
					r.GetOpt(fd, level, raw.IPV6_CHECKSUM, 4)
					for _, v := range []int{-5, -1, 0, 1, 2, 3, 4} {
						r.SetInt(fd, level, raw.IPV6_CHECKSUM, v)
						r.GetOpt(fd, level, raw.IPV6_CHECKSUM, 4)
					}
					r.SetOpt(fd, level, raw.IPV6_CHECKSUM, make([]byte, 2))
				}
			}
		})
	}
	return append(list, scenario{"raw/header included", func(r *run) {
		in, err := r.socket(inet4, socket.SOCK_RAW, experiment)
		must(r, in, err)
		r.own(in)
		out, err := r.socket(inet4, socket.SOCK_RAW, socket.IPPROTO_RAW)
		must(r, out, err)
		r.own(out)
		r.GetOpt(out, socket.SOL_IP, 3, 4)
		h := make([]byte, 20)
		h[0], h[8], h[9] = 0x45, 33, experiment
		copy(h[12:], []byte{127, 0, 0, 1, 127, 0, 0, 1})
		binary.BigEndian.PutUint16(h[2:], 25)
		packet := string(h) + "hello"
		r.SendTo(out, packet[:19], 0, lo(inet4, 0))
		r.SendTo(out, packet, 0, lo(inet4, 0))
		r.await(in, socket.POLLIN)
		r.rawPacket(in, inet4, 0)
		r.Recv(out, 1, socket.MSG_DONTWAIT)
	}}, scenario{"raw/checksum computed", func(r *run) {
		fd, err := r.socket(inet6, socket.SOCK_RAW, experiment)
		must(r, fd, err)
		r.own(fd)
		r.SetInt(fd, socket.SOL_IPV6, raw.IPV6_CHECKSUM, 2)
		r.SendTo(fd, "abcdefgh", 0, lo(inet6, 0))
		r.await(fd, socket.POLLIN)
		r.Recv(fd, 20, 0)
	}})
}

// rawPacket notes a packet received, of its IP header what does not depend on
// the system.
func (r *run) rawPacket(fd, family, flags int) {
	b := make([]byte, 200)
	n, from, err := r.recvfrom(fd, b, flags)
	if err != nil || family == inet6 || n < 20 {
		r.outcome("packet", err, quote(b, n), r.addr(from))
		return
	}
	r.outcome("packet", nil, n, fmt.Sprintf("%#x length %d ttl %d protocol %d %v", b[0], binary.BigEndian.Uint16(b[2:]), b[8], b[9], b[12:20]),
		quote(b[20:], n-20), r.addr(from))
}
