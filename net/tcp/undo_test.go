package tcp_test

import (
	"encoding/binary"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/seqnum"

	"github.com/tamanet/tamanet/net/socket"
	"github.com/tamanet/tamanet/net/tcp"
)

// options are TCP's, with time stamps; of a SYN, or else with the block of what came out of order, if any.
func options(stamp uint32, syn bool, blocks ...header.SACKBlock) []byte {
	b := make([]byte, 40)
	n := header.EncodeNOP(b)
	n += header.EncodeNOP(b[n:])
	n += header.EncodeTSOption(1, stamp, b[n:])
	if syn {
		n += header.EncodeMSSOption(1460, b[n:])
		n += header.EncodeSACKPermittedOption(b[n:])
	}
	n += header.EncodeSACKBlocks(blocks, b[n:])
	for n%4 != 0 {
		n += header.EncodeNOP(b[n:])
	}
	return b[:n]
}

// stampOf is a segment's own time stamp.
func stampOf(h header.TCP) uint32 {
	return header.ParseTCPOptions(h.Options()).TSVal
}

// TestReorderedIsNotCongestion has one of eleven segments come after the others, so that it is sent again. When the
// acknowledgement tells by its time stamp that it is the first one's, and not that of the one sent again, the congestion window
// is soon as it was (RFC 4015); else it is smaller (RFC 5681 §3.2).
func TestReorderedIsNotCongestion(t *testing.T) {
	for _, tc := range []struct {
		name string
		lost bool
	}{{"reordered", false}, {"lost", true}} {
		t.Run(tc.name, func(t *testing.T) {
			task, link := newServer(t)
			// The acknowledgements alone are to say what is lost, not the time they take.
			for name, value := range map[string]string{"net.ipv4.tcp_congestion_control": "reno", "net.ipv4.tcp_recovery": "0", "net.ipv4.tcp_rto_min_us": "30000000"} {
				if err := task.Net.SetSysctl(name, value); err != nil {
					t.Fatal(err)
				}
			}
			listener := listenOn(t, task)
			c := &client{t: t, link: link, options: options(0, true)}
			fd := c.connect(task, listener, 1000)
			t.Cleanup(func() { c.send(header.TCPFlagRst) }) // or the stack's end waits for timeouts
			go task.Send(fd, make([]byte, 30*1460), 0)

			start := c.ack
			first := c.receive("the first segment", func(h header.TCP) bool { return h.SequenceNumber() == start })
			mss := c.receive("the second", func(h header.TCP) bool { return h.SequenceNumber() != start }).SequenceNumber() - start
			segment := func(i uint32) header.TCP {
				return c.receive("a segment", func(h header.TCP) bool { return h.SequenceNumber() == start+i*mss })
			}
			stamp := stampOf(first)
			// With its acknowledgement, the window of ten segments grows by one (RFC 6928, RFC 5681 §3.1).
			c.options, c.ack = options(stamp, false), start+mss
			c.send(header.TCPFlagAck)
			segment(11)
			time.Sleep(5 * time.Millisecond) // time stamps count milliseconds
			c.options = options(stamp, false, header.SACKBlock{Start: seqnum.Value(start + 2*mss), End: seqnum.Value(start + 12*mss)})
			c.send(header.TCPFlagAck)
			again := segment(1)
			if tc.lost {
				stamp = stampOf(again)
			}
			c.options, c.ack = options(stamp, false), start+12*mss
			c.send(header.TCPFlagAck)
			segment(12)
			// A segment that comes while the connection is busy is not looked at, the next one will do.
			for i := range uint32(3) {
				c.ack += mss
				c.send(header.TCPFlagAck)
				segment(17 + i)
			}

			const sndCwnd = 80 // in struct tcp_info
			info := make([]byte, tcp.SizeofInfo)
			if _, err := task.GetSockOpt(fd, socket.SOL_TCP, tcp.TCP_INFO, info); err != nil {
				t.Fatal(err)
			}
			if cwnd := binary.NativeEndian.Uint32(info[sndCwnd:]); cwnd < 11 != tc.lost {
				t.Errorf("the congestion window, of 11 segments before, is %d", cwnd)
			}
		})
	}
}
