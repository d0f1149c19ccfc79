package link_test

import (
	"encoding/binary"
	"slices"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/tamanet/tamanet/drivers/nic"
)

// ack is a TCP segment for us without data; the zero value of a field is what the segments of a test have in common.
type ack struct {
	ack     uint32
	seq     uint32
	port    uint16
	window  uint16
	flags   header.TCPFlags
	options []byte
	tos     uint8
	ttl     uint8
	payload string
	bad     bool
	v6      bool
	// pad fills the frame up to Ethernet's least, with what is not zero.
	pad bool
}

func stamps(value, echo uint32) []byte {
	b := []byte{1, 1, 8, 10}
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, value), echo)
}

func (a ack) frame() []byte {
	src, dst, size, kind := dst4, src4, header.IPv4MinimumSize, header.IPv4ProtocolNumber
	if a.v6 {
		src, dst, size, kind = dst6, src6, header.IPv6MinimumSize, header.IPv6ProtocolNumber
	}
	tcp := header.TCP(make([]byte, header.TCPMinimumSize+len(a.options)+len(a.payload)))
	tcp.Encode(&header.TCPFields{SrcPort: 1 + a.port, DstPort: 2, SeqNum: 5 + a.seq, AckNum: a.ack,
		DataOffset: uint8(header.TCPMinimumSize + len(a.options)), Flags: header.TCPFlagAck | a.flags, WindowSize: 1000 + a.window})
	copy(tcp[header.TCPMinimumSize:], a.options)
	copy(tcp.Payload(), a.payload)
	tcp.SetChecksum(^checksum.Checksum(tcp, header.PseudoHeaderChecksum(header.TCPProtocolNumber, src, dst, uint16(len(tcp)))))
	if a.bad {
		tcp[16] ^= 1
	}
	ip := make([]byte, size, size+len(tcp))
	if a.v6 {
		header.IPv6(ip).Encode(&header.IPv6Fields{PayloadLength: uint16(len(tcp)), TransportProtocol: header.TCPProtocolNumber, TrafficClass: a.tos, HopLimit: 64 + a.ttl, SrcAddr: src, DstAddr: dst})
	} else {
		header.IPv4(ip).Encode(&header.IPv4Fields{TotalLength: uint16(size + len(tcp)), TOS: a.tos, ID: uint16(a.ack), TTL: 64 + a.ttl, Protocol: uint8(header.TCPProtocolNumber), SrcAddr: src, DstAddr: dst})
		header.IPv4(ip).SetChecksum(^header.IPv4(ip).CalculateChecksum())
	}
	f := ethernet(ourMAC, otherMAC, kind, string(append(ip, tcp...)))
	for a.pad && len(f) < 60 {
		f = append(f, 0xff)
	}
	return f
}

// TestAcknowledgements: of those of a batch that follow each other, the last stands for all, if it says all.
func TestAcknowledgements(t *testing.T) {
	sack := []byte{1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2}
	for _, tc := range []struct {
		name string
		in   []ack
		want []uint32 // acknowledgement numbers that are delivered
	}{
		{"three", []ack{{ack: 1}, {ack: 2}, {ack: 3}}, []uint32{3}},
		{"one", []ack{{ack: 1}}, []uint32{1}},
		{"padded", []ack{{ack: 1, pad: true}, {ack: 2, pad: true}, {ack: 3, pad: true}}, []uint32{3}},
		{"only one padded", []ack{{ack: 1, pad: true}, {ack: 2}}, []uint32{2}},
		{"data that looks like padding", []ack{{ack: 1}, {ack: 2, payload: "\xff\xff\xff\xff\xff\xff"}}, []uint32{1, 2}},
		{"padded, wrong checksum", []ack{{ack: 1, pad: true}, {ack: 2, pad: true, bad: true}, {ack: 3, pad: true}}, []uint32{1, 2, 3}},
		{"across zero", []ack{{ack: 0xffffffff}, {ack: 2}}, []uint32{2}},
		{"window shrinks", []ack{{ack: 1, window: 9}, {ack: 2}}, []uint32{2}},
		{"duplicates", []ack{{ack: 1}, {ack: 1}, {ack: 1}, {ack: 1}}, []uint32{1, 1, 1, 1}},
		{"window update", []ack{{ack: 1}, {ack: 1, window: 9}}, []uint32{1, 1}},
		{"out of order", []ack{{ack: 2}, {ack: 1}, {ack: 3}}, []uint32{2, 3}},
		{"half the numbers away", []ack{{ack: 1}, {ack: 0x80000001}}, []uint32{1, 0x80000001}},
		{"another sequence number", []ack{{ack: 1}, {ack: 2, seq: 1}}, []uint32{1, 2}},
		{"two flows", []ack{{ack: 1}, {ack: 2, port: 1}}, []uint32{1, 2}},
		{"SACK", []ack{{ack: 1, options: sack}, {ack: 2, options: sack}}, []uint32{1, 2}},
		{"SACK behind one", []ack{{ack: 1}, {ack: 2, options: sack}, {ack: 3}}, []uint32{1, 2, 3}},
		{"time stamps", []ack{{ack: 1, options: stamps(1, 1)}, {ack: 2, options: stamps(2, 1)}}, []uint32{2}},
		{"time stamps go back", []ack{{ack: 1, options: stamps(2, 1)}, {ack: 2, options: stamps(1, 1)}}, []uint32{1, 2}},
		{"echoes go back", []ack{{ack: 1, options: stamps(1, 2)}, {ack: 2, options: stamps(1, 1)}}, []uint32{1, 2}},
		{"only one has time stamps", []ack{{ack: 1, options: stamps(1, 1)}, {ack: 2}}, []uint32{1, 2}},
		{"ECE", []ack{{ack: 1, flags: header.TCPFlagEce}, {ack: 2}}, []uint32{1, 2}},
		{"FIN", []ack{{ack: 1}, {ack: 2, flags: header.TCPFlagFin}}, []uint32{1, 2}},
		{"RST", []ack{{ack: 1}, {ack: 2, flags: header.TCPFlagRst}}, []uint32{1, 2}},
		{"SYN", []ack{{ack: 1, flags: header.TCPFlagSyn}, {ack: 2}}, []uint32{1, 2}},
		{"congestion was experienced", []ack{{ack: 1, tos: 3}, {ack: 2}}, []uint32{1, 2}},
		{"another hop limit", []ack{{ack: 1, ttl: 1}, {ack: 2}}, []uint32{1, 2}},
		{"data between", []ack{{ack: 1}, {ack: 2, payload: "x"}, {ack: 3, seq: 1}, {ack: 4, seq: 1}}, []uint32{1, 2, 4}},
		{"wrong checksum", []ack{{ack: 1}, {ack: 2, bad: true}, {ack: 3}}, []uint32{1, 2, 3}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := &batching{device: newDevice()}
			e, up := newAttached(t, d)
			for range 2 { // the second batch is as if there was no first
				up.network = nil
				for _, a := range tc.in {
					d.receive(a.frame(), 2)
				}
				d.end()
				var got []uint32
				for _, p := range up.network {
					got = append(got, header.TCP(p.data[header.IPv4MinimumSize:]).AckNumber())
				}
				if !slices.Equal(got, tc.want) {
					t.Errorf("acknowledgements %d were delivered, want %d", got, tc.want)
				}
			}
			if n := e.Stats().RxACKsJoined; n != uint64(2*(len(tc.in)-len(tc.want))) {
				t.Errorf("%d are counted", n)
			}
		})
	}
}

// TestAcknowledgementsOverIPv6 has a device that looks at the checksums.
func TestAcknowledgementsOverIPv6(t *testing.T) {
	d := &vouching{batching{device: newDevice()}}
	_, up := newAttached(t, d)
	for i := range uint32(3) {
		d.receiveGood(ack{ack: 1 + i, v6: true}.frame())
	}
	d.receiveGood(ack{ack: 9, v6: true, tos: 1}.frame())
	d.end()
	var got []uint32
	for _, p := range up.network {
		if p.proto != tcpip.NetworkProtocolNumber(header.IPv6ProtocolNumber) {
			t.Errorf("protocol %#x", p.proto)
		}
		got = append(got, header.TCP(p.data[header.IPv6MinimumSize:]).AckNumber())
	}
	if !slices.Equal(got, []uint32{3, 9}) {
		t.Errorf("acknowledgements %d were delivered, want 3, 9", got)
	}
}

// vouching is a device that knows the checksums to be right.
type vouching struct{ batching }

func (*vouching) ChecksumOffload() (tx, rx bool) { return false, true }

func (d *vouching) receiveGood(frame []byte) {
	b := d.h.Buffer(len(frame))
	copy(b.Bytes(), frame)
	d.h.Receive(&nic.RxFrame{Parts: []nic.RxPart{{Buffer: b, Len: len(frame)}}, ChecksumGood: true})
}
