package link_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/net/link"
)

// able is a device that completes checksums, or cuts segments, too.
type able struct {
	*device
	sums, tcp4, tcp6 bool
	checksums        []nic.Checksum
	long             int // frames that the device is to cut
}

func (d *able) ChecksumOffload() (tx, rx bool)         { return d.sums, false }
func (d *able) SegmentationOffload() (tcp4, tcp6 bool) { return d.tcp4, d.tcp6 }

func (d *able) Transmit(f *nic.TxFrame) error {
	err := d.device.Transmit(f)
	if err == nil {
		d.checksums = append(d.checksums, f.Checksum)
		if f.Segmentation.Type != nic.SegmentNone {
			d.long++
		}
	}
	return err
}

// sent is a long segment as gVisor writes it.
type sent struct {
	v6      bool
	payload []byte
	pieces  int // that the payload lies in
	mss     uint16
	flags   header.TCPFlags
	options int
	seq     uint32
	id      uint16
}

var (
	src4, dst4 = tcpip.AddrFrom4([4]byte{10, 0, 0, 2}), tcpip.AddrFrom4([4]byte{10, 0, 0, 255})
	src6, dst6 = tcpip.AddrFrom16([16]byte{0xfd, 15: 2}), tcpip.AddrFrom16([16]byte{0xfd, 15: 0xff})
)

func (s *sent) addresses() (src, dst tcpip.Address) {
	if s.v6 {
		return src6, dst6
	}
	return src4, dst4
}

// packet does what gVisor's TCP and IP do to a segment.
func (s *sent) packet(e *link.Endpoint) *stack.PacketBuffer {
	var payload buffer.Buffer
	for i := range s.pieces {
		b := buffer.MakeWithData(s.payload[len(s.payload)*i/s.pieces : len(s.payload)*(i+1)/s.pieces])
		payload.Merge(&b)
	}
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{ReserveHeaderBytes: 128, Payload: payload})
	pkt.TransportProtocolNumber = header.TCPProtocolNumber
	src, dst := s.addresses()
	tcp := header.TCP(pkt.TransportHeader().Push(header.TCPMinimumSize + s.options))
	tcp.Encode(&header.TCPFields{SrcPort: 1, DstPort: 2, SeqNum: s.seq, AckNum: 7, DataOffset: uint8(len(tcp)), Flags: s.flags, WindowSize: 9})
	for i := range s.options {
		tcp[header.TCPMinimumSize+i] = header.TCPOptionNOP
	}
	tcp.SetChecksum(header.PseudoHeaderChecksum(header.TCPProtocolNumber, src, dst, uint16(pkt.Size())))
	pkt.GSOOptions = stack.GSO{Type: stack.GSOTCPv4, NeedsCsum: true, CsumOffset: header.TCPChecksumOffset, MSS: s.mss}
	size := pkt.Size()
	if s.v6 {
		pkt.GSOOptions.Type, pkt.NetworkProtocolNumber = stack.GSOTCPv6, header.IPv6ProtocolNumber
		header.IPv6(pkt.NetworkHeader().Push(header.IPv6MinimumSize)).Encode(&header.IPv6Fields{
			PayloadLength: uint16(size), TransportProtocol: header.TCPProtocolNumber, HopLimit: 64, SrcAddr: src, DstAddr: dst})
	} else {
		pkt.NetworkProtocolNumber = header.IPv4ProtocolNumber
		ip := header.IPv4(pkt.NetworkHeader().Push(header.IPv4MinimumSize))
		ip.Encode(&header.IPv4Fields{TotalLength: uint16(size + len(ip)), ID: s.id, TTL: 64, Protocol: uint8(header.TCPProtocolNumber), SrcAddr: src, DstAddr: dst})
		ip.SetChecksum(^ip.CalculateChecksum())
	}
	pkt.EgressRoute.RemoteLinkAddress = otherMAC
	e.AddHeader(pkt)
	return pkt
}

func (s *sent) write(tb testing.TB, e *link.Endpoint) {
	tb.Helper()
	var l stack.PacketBufferList
	l.PushBack(s.packet(e))
	defer l.DecRef()
	if n, err := e.WritePackets(l); n != 1 || err != nil {
		tb.Fatalf("WritePackets = %d, %v", n, err)
	}
}

// check compares the frames with the segment, by gVisor's parsers. partial says that the TCP checksums are the pseudo-header's.
func (s *sent) check(t *testing.T, frames [][]byte, partial bool) {
	t.Helper()
	src, dst := s.addresses()
	var got []byte
	n := max((len(s.payload)+int(s.mss)-1)/int(s.mss), 1)
	if len(frames) != n {
		t.Fatalf("%d frames, want %d", len(frames), n)
	}
	for i, frame := range frames {
		ip := frame[header.EthernetMinimumSize:]
		var tcp header.TCP
		if s.v6 {
			h := header.IPv6(ip)
			if !h.IsValid(len(ip)) || int(h.PayloadLength()) != len(ip)-header.IPv6MinimumSize || h.SourceAddress() != src || h.DestinationAddress() != dst {
				t.Fatalf("frame %d: IPv6 header % x of %d bytes", i, ip[:40], len(ip))
			}
			tcp = header.TCP(h.Payload())
		} else {
			h := header.IPv4(ip)
			if !h.IsValid(len(ip)) || int(h.TotalLength()) != len(ip) || !h.IsChecksumValid() || h.ID() != s.id+uint16(i) || h.SourceAddress() != src || h.DestinationAddress() != dst {
				t.Fatalf("frame %d: IPv4 header % x of %d bytes", i, ip[:20], len(ip))
			}
			tcp = header.TCP(h.Payload())
		}
		data := tcp.Payload()
		if partial {
			if want := header.PseudoHeaderChecksum(header.TCPProtocolNumber, src, dst, uint16(len(tcp))); tcp.Checksum()%0xffff != want%0xffff {
				t.Errorf("frame %d: TCP checksum %#x, want the pseudo-header's %#x", i, tcp.Checksum(), want)
			}
		} else if !tcp.IsChecksumValid(src, dst, checksum.Checksum(data, 0), uint16(len(data))) {
			t.Errorf("frame %d: TCP checksum %#x is wrong", i, tcp.Checksum())
		}
		want := s.flags
		if i > 0 {
			want &^= header.TCPFlagCwr
		}
		if i < n-1 {
			want &^= header.TCPFlagFin | header.TCPFlagPsh
			if len(data) != int(s.mss) {
				t.Errorf("frame %d of %d: %d bytes of payload, want %d", i, n, len(data), s.mss)
			}
		}
		if tcp.Flags() != want || tcp.SequenceNumber() != s.seq+uint32(len(got)) || len(tcp.Options()) != s.options {
			t.Errorf("frame %d of %d: flags %v, sequence number %d, want %v, %d", i, n, tcp.Flags(), tcp.SequenceNumber(), want, s.seq+uint32(len(got)))
		}
		got = append(got, data...)
	}
	if !bytes.Equal(got, s.payload) {
		t.Error("the payload is not what was written")
	}
}

func random(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// TestSegmentsAreCut compares what leaves with what gVisor wrote, at the borders of sizes and at random.
func TestSegmentsAreCut(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	const all = header.TCPFlagAck | header.TCPFlagPsh | header.TCPFlagFin | header.TCPFlagCwr | header.TCPFlagEce
	var cases []sent
	for _, n := range []int{0, 1, 1459, 1460, 1461, 2919, 2920, 2921, 65000} {
		cases = append(cases, sent{payload: random(r, n), pieces: 1, mss: 1460, flags: all, seq: 0xfffff000, id: 0xfffe})
	}
	// More frames than a train has, and more pieces than the device gathers.
	cases = append(cases, sent{payload: random(r, 40001), pieces: 3, mss: 100, flags: all}, sent{payload: random(r, 9000), pieces: 40, mss: 1460, flags: all})
	for range 200 {
		cases = append(cases, sent{
			payload: random(r, r.IntN(65400)), pieces: 1 + r.IntN(10), mss: uint16(88 + r.IntN(9000)),
			flags: header.TCPFlags(r.Uint32()) & all, options: 4 * r.IntN(11), seq: r.Uint32(), id: uint16(r.Uint32()),
		})
	}
	for i, s := range cases {
		for _, s.v6 = range []bool{false, true} {
			for _, sums := range []bool{false, true} {
				t.Run(fmt.Sprintf("%d, %d bytes by %d, IPv6 %v, checksums %v", i, len(s.payload), s.mss, s.v6, sums), func(t *testing.T) {
					// A device that cuts the other family's.
					d := &able{device: newDevice(), sums: sums, tcp4: s.v6, tcp6: !s.v6}
					e, err := link.New(d, link.Options{Logf: t.Logf})
					if err != nil {
						t.Fatal(err)
					}
					defer e.Close()
					if e.SupportedGSO() != stack.HostGSOSupported {
						t.Fatal("long segments are not taken")
					}
					s.write(t, e)
					s.check(t, d.frames, sums)
					for i, c := range d.checksums {
						if sums != (c.Start != 0) || d.more[i] != (i < len(d.more)-1) {
							t.Errorf("frame %d of %d: checksum %+v, more %v", i, len(d.more), c, d.more[i])
						}
					}
					if d.long != 0 {
						t.Error("the device was asked to cut what it does not cut")
					}
				})
			}
		}
	}
}

// TestSegmentsAreLeftToADeviceThatCuts is the other way.
func TestSegmentsAreLeftToADeviceThatCuts(t *testing.T) {
	d := &able{device: newDevice(), tcp4: true}
	e, err := link.New(d, link.Options{Logf: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	s := sent{payload: make([]byte, 10000), pieces: 2, mss: 1460, flags: header.TCPFlagAck}
	s.write(t, e)
	if len(d.frames) != 1 || d.long != 1 || d.checksums[0].Start == 0 {
		t.Errorf("%d frames, %d of them to be cut, checksums %+v", len(d.frames), d.long, d.checksums)
	}
}

// TestRingFullInTheMiddle: what the ring has no room for waits, in order, and nothing leaves twice.
func TestRingFullInTheMiddle(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for seed := range 50 {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			d := newDevice()
			e := newEndpoint(t, d, link.Options{})
			d.room = r.IntN(5)
			var want []sent
			for i := range 6 {
				s := sent{payload: random(r, 1+r.IntN(30000)), pieces: 1 + r.IntN(6), mss: uint16(500 + r.IntN(1000)), flags: header.TCPFlagAck | header.TCPFlagPsh, seq: uint32(i) << 20}
				s.write(t, e)
				want = append(want, s)
				d.setRoom(r.IntN(9))
			}
			for tries := 0; e.Stats().TxPackets < uint64(len(want)); tries++ {
				d.setRoom(1 + r.IntN(7))
				if r.IntN(2) == 0 {
					d.complete()
				}
				if tries == 1000 {
					t.Fatalf("not all leaves: %+v", e.Stats())
				}
			}
			frames := d.frames
			for _, s := range want {
				n := (len(s.payload) + int(s.mss) - 1) / int(s.mss)
				s.check(t, frames[:min(n, len(frames))], false)
				frames = frames[min(n, len(frames)):]
			}
			if len(frames) != 0 {
				t.Errorf("%d more frames left", len(frames))
			}
			d.complete()
		})
	}
}

// TestCloseInTheMiddle has a segment of which some frames are with the device, and others wait: the leak check sees
// what is left of them.
func TestCloseInTheMiddle(t *testing.T) {
	d := newDevice()
	d.room = 3
	e := newEndpoint(t, d, link.Options{})
	s := sent{payload: make([]byte, 14600), pieces: 3, mss: 1460, flags: header.TCPFlagAck}
	s.write(t, e)
	s.write(t, e)
	e.Close()
	if st := e.Stats(); len(d.frames) != 3 || st.TxClosed != 2 || st.TxPackets != 0 {
		t.Errorf("%d frames left, counters %+v", len(d.frames), st)
	}
}

// TestSegmentFails has the device fail in the middle: the rest is not sent, and it is told.
func TestSegmentFails(t *testing.T) {
	d := newDevice()
	e := newEndpoint(t, d, link.Options{})
	d.during = func() { d.err = nic.ErrFailed }
	s := sent{payload: make([]byte, 14600), pieces: 3, mss: 1460, flags: header.TCPFlagAck}
	var l stack.PacketBufferList
	l.PushBack(s.packet(e))
	defer l.DecRef()
	if n, err := e.WritePackets(l); n != 0 || !is[*tcpip.ErrHostDown](err) || len(d.frames) != 1 {
		t.Errorf("WritePackets = %d, %v after %d frames", n, err, len(d.frames))
	}
	d.complete()
}
