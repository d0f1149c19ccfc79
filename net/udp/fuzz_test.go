package udp_test

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/socket"
)

const fuzzPort = 7000

// wrap puts an IP header before a UDP segment.
func wrap(segment []byte, src, dst netip.Addr) []byte {
	if src.Is4() {
		b := make([]byte, header.IPv4MinimumSize, header.IPv4MinimumSize+len(segment))
		h := header.IPv4(b)
		h.Encode(&header.IPv4Fields{
			TotalLength: uint16(len(b) + len(segment)), TTL: 64, Protocol: uint8(header.UDPProtocolNumber),
			SrcAddr: netdev.ToTCPIP(src), DstAddr: netdev.ToTCPIP(dst),
		})
		h.SetChecksum(^h.CalculateChecksum())
		return append(b, segment...)
	}
	b := make([]byte, header.IPv6MinimumSize, header.IPv6MinimumSize+len(segment))
	header.IPv6(b).Encode(&header.IPv6Fields{
		PayloadLength: uint16(len(segment)), TransportProtocol: header.UDPProtocolNumber, HopLimit: 64,
		SrcAddr: netdev.ToTCPIP(src), DstAddr: netdev.ToTCPIP(dst),
	})
	return append(b, segment...)
}

// payloadOf is what RFC 768 says about a segment: its payload, if it is to be
// received.
func payloadOf(segment []byte, src, dst netip.Addr) (payload []byte, ok bool) {
	if len(segment) < header.UDPMinimumSize {
		return nil, false
	}
	length := int(binary.BigEndian.Uint16(segment[4:]))
	if length < header.UDPMinimumSize || length > len(segment) || binary.BigEndian.Uint16(segment[2:]) != fuzzPort {
		return nil, false
	}
	segment = segment[:length]
	if binary.BigEndian.Uint16(segment[6:]) == 0 {
		return segment[header.UDPMinimumSize:], src.Is4()
	}
	pseudo := header.PseudoHeaderChecksum(header.UDPProtocolNumber, netdev.ToTCPIP(src), netdev.ToTCPIP(dst), uint16(length))
	return segment[header.UDPMinimumSize:], checksum.Checksum(segment, pseudo) == 0xffff
}

// FuzzInput lets arbitrary UDP segments come in over IPv4 and IPv6; with fix,
// they get a checksum that is right. A socket receives what it should of them
// and no more.
func FuzzInput(f *testing.F) {
	task := newTask(f)
	ends := map[bool][2]netip.Addr{
		false: {netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")},
		true:  {netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")},
	}
	link := channel.New(64, 1500, "")
	_, err := task.Net.AddInterface(netdev.InterfaceConfig{Name: "eth0", Link: link, Addresses: []netip.Prefix{
		netip.PrefixFrom(ends[false][1], 24), netip.PrefixFrom(ends[true][1], 64),
	}})
	if err != nil {
		f.Fatal(err)
	}
	fd, err := task.Socket(socket.AF_INET6, socket.SOCK_DGRAM, 0)
	if err == nil {
		err = task.Bind(fd, socket.SockaddrInet6([16]byte{}, fuzzPort, 0))
	}
	if err != nil {
		f.Fatal(err)
	}
	segment := func(length int, payload string) []byte {
		b := binary.BigEndian.AppendUint16(nil, 9)
		b = binary.BigEndian.AppendUint16(b, fuzzPort)
		b = binary.BigEndian.AppendUint16(b, uint16(length))
		return append(append(b, 0, 0), payload...)
	}
	for _, v6 := range []bool{false, true} {
		for _, fix := range []bool{false, true} {
			f.Add(segment(13, "hello"), v6, fix)
			f.Add(segment(8, ""), v6, fix)
			f.Add(segment(10, "trailing bytes"), v6, fix)
			f.Add(segment(7, "less than a header"), v6, fix)
			f.Add(segment(200, "more than there is"), v6, fix)
			f.Add(segment(0, "no length"), v6, fix)
			f.Add([]byte{0, 9, 27}, v6, fix)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, v6, fix bool) {
		if len(b) > 1400 {
			t.Skip("longer than the link's packets")
		}
		src, dst := ends[v6][0], ends[v6][1]
		if fix && len(b) >= header.UDPMinimumSize {
			length := min(int(binary.BigEndian.Uint16(b[4:])), len(b))
			b = bytes.Clone(b)
			b[6], b[7] = 0, 0
			pseudo := header.PseudoHeaderChecksum(header.UDPProtocolNumber, netdev.ToTCPIP(src), netdev.ToTCPIP(dst), uint16(length))
			binary.BigEndian.PutUint16(b[6:], ^checksum.Checksum(b[:length], pseudo))
		}
		want, ok := payloadOf(b, src, dst)
		pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(wrap(b, src, dst))})
		link.InjectInbound(netdev.NetProto(src), pkt)
		pkt.DecRef()
		link.Drain()
		got := make([]byte, 1500)
		n, from, err := task.RecvFrom(fd, got, socket.MSG_DONTWAIT)
		switch {
		case !ok && err != errno.EAGAIN:
			t.Errorf("received %x of %x, %v", got[:n], b, err)
		case ok && (err != nil || !bytes.Equal(got[:n], want)):
			t.Errorf("received %x, %v; want %x", got[:n], err, want)
		case ok && (from.IP().Unmap() != src || from.Port != binary.BigEndian.Uint16(b)):
			t.Errorf("it came from %v", from)
		}
	})
}
