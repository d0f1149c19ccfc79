package tcp

import (
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// TestUrgentPointer sets the pointer on segments before, at and past the end of
// the urgent bytes (RFC 9293 §3.8.5), and looks at the checksum after it.
func TestUrgentPointer(t *testing.T) {
	src, dst := tcpip.AddrFrom4([4]byte{10, 0, 0, 1}), tcpip.AddrFrom4([4]byte{10, 0, 0, 2})
	payload := []byte("urgent!")
	for _, tc := range []struct {
		name    string
		seq, up uint32
		want    uint16 // the pointer, 0 for none
	}{
		{"ends within the segment", 1000, 1003, 3},
		{"ends with the segment", 1000, 1007, 7},
		{"ends in a later segment", 1000, 2000, 1000},
		{"across the end of the numbers", 0xfffffffe, 3, 5},
		{"is acknowledged", 1000, 1000, 0},
		{"is long past", 1 << 30, 1000, 0},
		{"is too far ahead", 1000, 1000 + 0x10000, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := header.TCP(make([]byte, header.TCPMinimumSize))
			h.Encode(&header.TCPFields{
				SrcPort: 80, DstPort: 1234, SeqNum: tc.seq, AckNum: 77, WindowSize: 500,
				DataOffset: header.TCPMinimumSize, Flags: header.TCPFlagAck | header.TCPFlagPsh,
			})
			data := checksum.Checksum(payload, 0)
			sum := header.PseudoHeaderChecksum(header.TCPProtocolNumber, src, dst, uint16(len(h)+len(payload)))
			h.SetChecksum(^h.CalculateChecksum(checksum.Combine(sum, data)))

			new(sock).setUrgent(h, tc.up, true)
			if urg := h.Flags()&header.TCPFlagUrg != 0; urg != (tc.want != 0) || h.UrgentPointer() != tc.want {
				t.Errorf("URG %v, pointer %d, want %d", urg, h.UrgentPointer(), tc.want)
			}
			if !h.IsChecksumValid(src, dst, data, uint16(len(payload))) {
				t.Error("the checksum is wrong")
			}
		})
	}
}
