package enet_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/tamanet/tamanet/drivers/enet"
	"github.com/tamanet/tamanet/drivers/enet/enettest"
	"github.com/tamanet/tamanet/drivers/nic"
)

// segment returns the headers and the payload of a long TCP segment, as gVisor leaves it.
func segment(v6 bool, n int, flags header.TCPFlags) (headers, payload []byte, f nic.TxFrame) {
	payload = make([]byte, n)
	for i := range payload {
		payload[i] = byte(i * 7)
	}
	ipLen := header.IPv4MinimumSize
	if v6 {
		ipLen = header.IPv6MinimumSize
	}
	headers = make([]byte, 14+ipLen+header.TCPMinimumSize)
	binary.BigEndian.PutUint16(headers[12:], 0x0800)
	ip := headers[14:]
	if v6 {
		binary.BigEndian.PutUint16(headers[12:], 0x86dd)
		header.IPv6(ip).Encode(&header.IPv6Fields{TransportProtocol: header.TCPProtocolNumber, HopLimit: 64})
		ip[8], ip[23], ip[24], ip[39] = 0xfd, 1, 0xfd, 2
	} else {
		header.IPv4(ip).Encode(&header.IPv4Fields{TTL: 64, Protocol: uint8(header.TCPProtocolNumber), ID: 100})
		ip[12], ip[15], ip[16], ip[19] = 10, 1, 10, 2
	}
	header.TCP(ip[ipLen:]).Encode(&header.TCPFields{SeqNum: 0xfffffff0, DataOffset: header.TCPMinimumSize, Flags: flags})
	f = nic.TxFrame{
		Parts:        [][]byte{headers, payload[:n/3], payload[n/3:]},
		Checksum:     nic.Checksum{Start: uint16(14 + ipLen), Offset: 16},
		Segmentation: nic.Segmentation{Type: nic.SegmentTCP4, HeaderLen: uint16(len(headers)), Size: 1000},
	}
	if v6 {
		f.Segmentation.Type = nic.SegmentTCP6
	}
	return headers, payload, f
}

func TestSegmentsAreCut(t *testing.T) {
	const flags = header.TCPFlagAck | header.TCPFlagPsh | header.TCPFlagFin | header.TCPFlagCwr
	for _, v6 := range []bool{false, true} {
		m, h := enettest.New(), newHandler()
		s := record(m, h, 256)
		d := start(t, m, h, nil)
		headers, payload, f := segment(v6, 3500, flags)
		o := &owner{h: h}
		f.Owner = o
		if err := d.Transmit(&f); err != nil {
			t.Fatal(err)
		}
		if len(s.frames) != 4 || o.done != 1 {
			t.Fatalf("v6 %v: %d frames, owner released %d times", v6, len(s.frames), o.done)
		}
		var got []byte
		for i, frame := range s.frames {
			ip, tcp := frame[14:], header.TCP(frame[f.Checksum.Start:])
			got = append(got, tcp.Payload()...)
			if seq := uint32((0xfffffff0 + uint64(i)*1000) & 0xffffffff); tcp.SequenceNumber() != seq {
				t.Errorf("v6 %v, frame %d: sequence number %#x, want %#x", v6, i, tcp.SequenceNumber(), seq)
			}
			want := flags
			if i < 3 {
				want &^= header.TCPFlagPsh | header.TCPFlagFin
			}
			if i > 0 {
				want &^= header.TCPFlagCwr
			}
			if tcp.Flags() != want {
				t.Errorf("v6 %v, frame %d: flags %v, want %v", v6, i, tcp.Flags(), want)
			}
			if v6 {
				h6 := header.IPv6(ip)
				sum := header.PseudoHeaderChecksum(header.TCPProtocolNumber, h6.SourceAddress(), h6.DestinationAddress(), uint16(len(tcp)))
				if int(h6.PayloadLength()) != len(tcp) || s.sums[i] || checksum.Checksum(tcp, sum) != 0xffff {
					t.Errorf("v6 frame %d: payload length %d of %d, checksum wrong or left to the MAC", i, h6.PayloadLength(), len(tcp))
				}
				continue
			}
			h4 := header.IPv4(ip)
			if int(h4.TotalLength()) != len(ip) || h4.ID() != uint16(100+i) || !h4.IsChecksumValid() || tcp.Checksum() != 0 || !s.sums[i] {
				t.Errorf("v4 frame %d: length %d of %d, ID %d, header checksum %v, TCP's %#x", i, h4.TotalLength(), len(ip), h4.ID(), h4.IsChecksumValid(), tcp.Checksum())
			}
		}
		if !bytes.Equal(got, payload) || len(headers) != int(f.Segmentation.HeaderLen) {
			t.Errorf("v6 %v: the payload is not what it was", v6)
		}
	}
}

func TestChecksumOverIPv6IsCompletedHere(t *testing.T) {
	m, h := enettest.New(), newHandler()
	s := record(m, h, 256)
	d := start(t, m, h, nil)
	headers, payload, f := segment(true, 999, header.TCPFlagAck)
	f.Segmentation, f.Owner = nic.Segmentation{}, &owner{h: h}
	ip := header.IPv6(headers[14:])
	tcpLen := uint16(header.TCPMinimumSize + len(payload))
	pseudo := header.PseudoHeaderChecksum(header.TCPProtocolNumber, ip.SourceAddress(), ip.DestinationAddress(), tcpLen)
	header.TCP(headers[f.Checksum.Start:]).SetChecksum(pseudo)
	if err := d.Transmit(&f); err != nil {
		t.Fatal(err)
	}
	if s.sums[0] || checksum.Checksum(s.frames[0][f.Checksum.Start:], pseudo) != 0xffff {
		t.Error("the checksum is wrong, or left to the MAC")
	}
}

func TestSegmentsThatCannotBeCut(t *testing.T) {
	m, h := enettest.New(), newHandler()
	m.StuckTx = true
	d := start(t, m, h, nil)
	for _, tc := range []struct {
		name   string
		change func(*nic.TxFrame)
	}{
		{"no size", func(f *nic.TxFrame) { f.Segmentation.Size = 0 }},
		{"size beyond the MTU", func(f *nic.TxFrame) { f.Segmentation.Size = 1465 }},
		{"too many frames", func(f *nic.TxFrame) { f.Segmentation.Size = 10 }},
		{"no type", func(f *nic.TxFrame) { f.Segmentation.Type = 9 }},
		{"headers that are too short", func(f *nic.TxFrame) { f.Segmentation.HeaderLen = 53 }},
		{"headers without end", func(f *nic.TxFrame) { f.Segmentation.HeaderLen = 4000 }},
		{"nothing but headers", func(f *nic.TxFrame) { f.Parts = f.Parts[:1] }},
		{"no checksum", func(f *nic.TxFrame) { f.Checksum = nic.Checksum{} }},
		{"checksum behind the headers", func(f *nic.TxFrame) { f.Checksum.Offset = 20 }},
		{"longer than any packet", func(f *nic.TxFrame) { f.Parts = append(f.Parts, make([]byte, 66000)) }},
	} {
		_, _, f := segment(false, 3500, header.TCPFlagAck)
		f.Owner = &owner{h: h}
		tc.change(&f)
		if err := d.Transmit(&f); !errors.Is(err, nic.ErrFrame) {
			t.Errorf("%s: %v, want ErrFrame", tc.name, err)
		}
	}
	for err := error(nil); err != nic.ErrFull; {
		_, _, f := segment(false, 60000, header.TCPFlagAck)
		f.Owner = &owner{h: h}
		if err = d.Transmit(&f); err != nil && err != nic.ErrFull {
			t.Fatal(err)
		}
	}
}

func TestNoSegmentationWithASmallRing(t *testing.T) {
	m, h := enettest.New(), newHandler()
	d := start(t, m, h, func(c *enet.Config) { c.TxRing = 8 })
	if v4, v6 := d.SegmentationOffload(); v4 || v6 {
		t.Error("a ring of 8 is said to take a long segment")
	}
}
