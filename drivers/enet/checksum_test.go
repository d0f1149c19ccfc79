package enet_test

import (
	"encoding/binary"
	"errors"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/tamanet/tamanet/drivers/enet/enettest"
	"github.com/tamanet/tamanet/drivers/nic"
)

// tcp6 is a frame with a TCP segment over IPv6 whose checksum is left to the driver, and the sum of its pseudo-header.
func tcp6(h *handler) (f nic.TxFrame, pseudo uint16) {
	const start = nic.HeaderLen + header.IPv6MinimumSize
	payload := make([]byte, 999)
	for i := range payload {
		payload[i] = byte(i * 7)
	}
	headers := make([]byte, start+header.TCPMinimumSize)
	binary.BigEndian.PutUint16(headers[12:], 0x86dd)
	ip := header.IPv6(headers[nic.HeaderLen:])
	ip.Encode(&header.IPv6Fields{TransportProtocol: header.TCPProtocolNumber, HopLimit: 64})
	ip[8], ip[23], ip[24], ip[39] = 0xfd, 1, 0xfd, 2
	tcp := header.TCP(headers[start:])
	tcp.Encode(&header.TCPFields{SeqNum: 1, DataOffset: header.TCPMinimumSize, Flags: header.TCPFlagAck})
	pseudo = header.PseudoHeaderChecksum(header.TCPProtocolNumber, ip.SourceAddress(), ip.DestinationAddress(), uint16(len(tcp)+len(payload)))
	tcp.SetChecksum(pseudo)
	return nic.TxFrame{
		Parts:    [][]byte{headers, payload[:333], payload[333:]},
		Owner:    &owner{h: h},
		Checksum: nic.Checksum{Start: start, Offset: header.TCPChecksumOffset},
	}, pseudo
}

func TestChecksumOverIPv6IsCompletedHere(t *testing.T) {
	m, h := enettest.New(), newHandler()
	s := record(m, h, 256)
	d := start(t, m, h, nil)
	f, pseudo := tcp6(h)
	if err := d.Transmit(&f); err != nil {
		t.Fatal(err)
	}
	if s.sums[0] || checksum.Checksum(s.frames[0][f.Checksum.Start:], pseudo) != 0xffff {
		t.Error("the checksum is wrong, or left to the MAC")
	}
}

// TestSegmentsAreNotCut: the MAC cannot, and who stands above is not told that the driver could.
func TestSegmentsAreNotCut(t *testing.T) {
	m, h := enettest.New(), newHandler()
	d := start(t, m, h, nil)
	f, _ := tcp6(h)
	f.Segmentation = nic.Segmentation{Type: nic.SegmentTCP6, HeaderLen: 74, Size: 500}
	if err := d.Transmit(&f); !errors.Is(err, nic.ErrFrame) {
		t.Errorf("a frame to be cut: %v, want ErrFrame", err)
	}
	if _, ok := nic.Device(d).(nic.SegmentationOffload); ok {
		t.Error("the device offers to cut segments")
	}
}
