package link_test

import (
	"bytes"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/tamanet/tamanet/net/link"
)

// batching is a device that hands frames up in batches.
type batching struct {
	*device
	end func()
}

func (b *batching) OnBatchEnd(end func()) { b.end = end }

// segment returns a frame with a TCP segment for us.
func segment(seq uint32, flags header.TCPFlags, payload []byte) []byte {
	src, dst := tcpip.AddrFrom4([4]byte{10, 0, 0, 1}), tcpip.AddrFrom4([4]byte{10, 0, 0, 2})
	b := make([]byte, header.IPv4MinimumSize+header.TCPMinimumSize+len(payload))
	ip := header.IPv4(b)
	ip.Encode(&header.IPv4Fields{TotalLength: uint16(len(b)), TTL: 64, Protocol: uint8(header.TCPProtocolNumber), SrcAddr: src, DstAddr: dst})
	ip.SetChecksum(^ip.CalculateChecksum())
	tcp := header.TCP(b[header.IPv4MinimumSize:])
	tcp.Encode(&header.TCPFields{SrcPort: 1, DstPort: 2, SeqNum: seq, AckNum: 1, DataOffset: header.TCPMinimumSize, Flags: flags, WindowSize: 1000})
	copy(tcp.Payload(), payload)
	sum := header.PseudoHeaderChecksum(header.TCPProtocolNumber, src, dst, uint16(len(tcp)))
	tcp.SetChecksum(^tcp.CalculateChecksum(checksum.Checksum(payload, sum)))
	return ethernet(ourMAC, otherMAC, header.IPv4ProtocolNumber, string(b))
}

// TestSegmentsOfABatchAreJoined also shows that nothing is held back beyond the batch, and that a wrong checksum is
// not lost in what is joined.
func TestSegmentsOfABatchAreJoined(t *testing.T) {
	const ack = header.TCPFlagAck
	part := bytes.Repeat([]byte{'x'}, 1000)
	bad := segment(2001, ack, part)
	bad[60] ^= 1
	for _, tc := range []struct {
		name   string
		noGRO  bool
		frames [][]byte
		during int // packets delivered before the batch ends
		want   []int
	}{
		{"three in order", false, [][]byte{segment(1, ack, part), segment(1001, ack, part), segment(2001, ack, part)}, 0, []int{3000}},
		{"not wanted", true, [][]byte{segment(1, ack, part), segment(1001, ack, part), segment(2001, ack, part)}, 3, []int{1000, 1000, 1000}},
		{"the last pushes", false, [][]byte{segment(1, ack, part), segment(1001, ack|header.TCPFlagPsh, part)}, 1, []int{2000}},
		{"a gap", false, [][]byte{segment(1, ack, part), segment(2001, ack, part)}, 1, []int{1000, 1000}},
		{"a wrong checksum", false, [][]byte{segment(1, ack, part), segment(1001, ack, part), bad}, 1, []int{1000, 2000}},
		{"no payload", false, [][]byte{segment(1, ack, nil)}, 0, []int{0}},
		{"one", false, [][]byte{segment(1, ack, part)}, 0, []int{1000}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d, up := &batching{device: newDevice()}, &dispatcher{}
			newEndpoint(t, d, link.Options{NoGRO: tc.noGRO}).Attach(up)
			for _, f := range tc.frames {
				d.receive(f, 2)
			}
			if len(up.network) != tc.during {
				t.Errorf("%d packets were delivered before the batch ended, want %d", len(up.network), tc.during)
			}
			if !tc.noGRO {
				d.end()
			}
			var got []int
			for _, p := range up.network {
				got = append(got, len(p.data)-header.IPv4MinimumSize-header.TCPMinimumSize)
			}
			if len(got) != len(tc.want) {
				t.Fatalf("payloads of %d bytes were delivered, want %d", got, tc.want)
			}
			for i := range got {
				if got[i] != tc.want[i] {
					t.Errorf("payloads of %d bytes were delivered, want %d", got, tc.want)
				}
			}
		})
	}
}

// TestPaddingIsNoData: what fills a short frame up stays out of what is joined, also where the device vouches for the
// checksums.
func TestPaddingIsNoData(t *testing.T) {
	d := &vouching{batching{device: newDevice()}}
	_, up := newAttached(t, d)
	const ack = header.TCPFlagAck
	part := bytes.Repeat([]byte{'x'}, 1000)
	short := append(segment(1001, ack, []byte("y")), 0, 0, 0, 0, 0)
	for _, f := range [][]byte{segment(1, ack, part), short, segment(1002, ack, part)} {
		d.receiveGood(f)
	}
	d.end()
	seq := uint32(1)
	for _, p := range up.network {
		ip := header.IPv4(p.data)
		tcp := header.TCP(ip.Payload())
		if got := tcp.SequenceNumber(); got != seq {
			t.Fatalf("segment %d was delivered, want %d", got, seq)
		}
		seq += uint32(len(tcp.Payload()))
		if n := bytes.Count(tcp.Payload(), []byte{0}); n != 0 {
			t.Errorf("%d bytes of padding were delivered as data", n)
		}
	}
	if seq != 2002 {
		t.Errorf("data up to %d was delivered, want 2002", seq)
	}
}
