package tcp_test

import (
	"net/netip"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/tamanet/tamanet/net/internal/sockettest"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/socket"
)

// client is the other end of a link, which makes its segments by hand.
type client struct {
	t        *testing.T
	link     *channel.Endpoint
	seq, ack uint32
	options  []byte // of all segments, padded
}

var clientAddr, serverAddr = netip.MustParseAddr("10.9.0.2"), netip.MustParseAddr("10.9.0.1")

// send sends a segment without data.
func (c *client) send(flags header.TCPFlags) { c.sendData(flags, nil) }

// sendData sends a segment.
func (c *client) sendData(flags header.TCPFlags, data []byte) {
	size := header.TCPMinimumSize + len(c.options)
	b := make([]byte, header.IPv4MinimumSize+header.TCPMinimumSize, header.IPv4MinimumSize+size+len(data))
	b = append(append(b, c.options...), data...)
	ip, tcp := header.IPv4(b), header.TCP(b[header.IPv4MinimumSize:])
	src, dst := tcpip.AddrFrom4(clientAddr.As4()), tcpip.AddrFrom4(serverAddr.As4())
	ip.Encode(&header.IPv4Fields{TotalLength: uint16(len(b)), TTL: 64, Protocol: uint8(header.TCPProtocolNumber), SrcAddr: src, DstAddr: dst})
	ip.SetChecksum(^ip.CalculateChecksum())
	tcp.Encode(&header.TCPFields{SrcPort: 5000, DstPort: 80, SeqNum: c.seq, AckNum: c.ack, DataOffset: uint8(size), Flags: flags, WindowSize: 65535})
	tcp.SetChecksum(^checksum.Checksum(tcp, header.PseudoHeaderChecksum(header.TCPProtocolNumber, src, dst, uint16(len(tcp)))))
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(b)})
	c.link.InjectInbound(header.IPv4ProtocolNumber, pkt)
	pkt.DecRef()
	c.seq += uint32(len(data))
	if flags&(header.TCPFlagSyn|header.TCPFlagFin) != 0 {
		c.seq++
	}
}

// receive returns the next segment for which ok holds.
func (c *client) receive(what string, ok func(header.TCP) bool) header.TCP {
	c.t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		select {
		case <-deadline:
			c.t.Fatalf("%s does not come", what)
		case <-time.After(time.Millisecond):
		}
		for pkt := c.link.Read(); pkt != nil; pkt = c.link.Read() {
			h := append(header.TCP(nil), pkt.TransportHeader().Slice()...)
			isTCP := pkt.TransportProtocolNumber == header.TCPProtocolNumber
			pkt.DecRef()
			if isTCP && ok(h) {
				return h
			}
		}
	}
}

func (c *client) receiveFlags(what string, want header.TCPFlags) header.TCP {
	c.t.Helper()
	return c.receive(what, func(h header.TCP) bool { return h.Flags()&^header.TCPFlagPsh == want })
}

const synAck, finAck = header.TCPFlagSyn | header.TCPFlagAck, header.TCPFlagFin | header.TCPFlagAck

// connect shakes hands and returns the listener's new socket.
func (c *client) connect(task *socket.Task, listener int, iss uint32) int {
	c.t.Helper()
	c.seq, c.ack = iss, 0
	c.send(header.TCPFlagSyn)
	h := c.receiveFlags("SYN-ACK", synAck)
	c.ack = h.SequenceNumber() + 1
	if c.options != nil {
		c.options = options(stampOf(h), false)
	}
	c.send(header.TCPFlagAck)
	fd, _, err := task.Accept(listener)
	if err != nil {
		c.t.Fatal(err)
	}
	return fd
}

// TestTimeWaitGivesWay has a client use its port again, with a number that is not beyond those of the connection
// before: it is told what is expected, resets that, and then gets its connection (Linux
// net/ipv4/tcp_minisocks.c tcp_timewait_state_process).
func TestTimeWaitGivesWay(t *testing.T) {
	task, link := newServer(t)
	listener := listenOn(t, task)
	c := &client{t: t, link: link}
	const iss = 1000
	fd := c.connect(task, listener, iss)
	if err := task.Close(fd); err != nil {
		t.Fatal(err)
	}
	c.ack = c.receiveFlags("FIN", finAck).SequenceNumber() + 1
	c.send(finAck)
	c.receiveFlags("the acknowledgement of FIN", header.TCPFlagAck)
	expected := c.seq

	c.seq, c.ack = iss-500, 0
	c.send(header.TCPFlagSyn)
	if h := c.receiveFlags("an acknowledgement", header.TCPFlagAck); h.AckNumber() != expected {
		t.Errorf("the old SYN is answered with ACK %d, want %d", h.AckNumber(), expected)
	}
	// A reset that is beside it ends nothing.
	c.seq = expected + 1
	c.send(header.TCPFlagRst)
	c.seq = iss - 500
	c.send(header.TCPFlagSyn)
	c.receiveFlags("another acknowledgement", header.TCPFlagAck)

	c.seq = expected
	c.send(header.TCPFlagRst)
	// A SYN may still come before the reset has done its work, as the next one does not.
	for answer := header.TCPFlags(0); answer != synAck; {
		c.seq = iss - 500
		c.send(header.TCPFlagSyn)
		answer = c.receive("an answer to SYN", func(header.TCP) bool { return true }).Flags()
	}
}

func newServer(t *testing.T) (*socket.Task, *channel.Endpoint) {
	t.Helper()
	link := channel.New(64, 1500, "")
	t.Cleanup(func() { link.Drain() }) // once the network has gone
	task := sockettest.NewTask(t)
	if _, err := task.Net.AddInterface(netdev.InterfaceConfig{Name: "eth0", Link: link, Addresses: []netip.Prefix{netip.PrefixFrom(serverAddr, 24)}}); err != nil {
		t.Fatal(err)
	}
	return task, link
}

func listenOn(t *testing.T, task *socket.Task) int {
	t.Helper()
	fd, err := task.Socket(socket.AF_INET, socket.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := task.Bind(fd, socket.SockaddrFrom(netip.AddrPortFrom(serverAddr, 80))); err != nil {
		t.Fatal(err)
	}
	if err := task.Listen(fd, 1); err != nil {
		t.Fatal(err)
	}
	return fd
}
