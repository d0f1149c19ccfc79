package main

import (
	"bytes"
	"net"
	"testing"
	"time"
)

// serveDatagrams runs a UDP test service on loopback and returns a socket that
// is connected to it.
func (n network) serveDatagrams(t *testing.T, handle func(net.PacketConn, []byte, net.Addr)) net.Conn {
	t.Helper()
	pc, err := n.packet()
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		serveUDP(pc, handle)
	}()
	t.Cleanup(func() {
		pc.Close()
		<-gone
	})
	conn, err := n.dial(pc.LocalAddr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return conn
}

func TestUDPEchoKeepsDatagrams(t *testing.T) { onEach(t, udpEchoKeepsDatagrams) }

func udpEchoKeepsDatagrams(t *testing.T, n network) {
	conn := n.serveDatagrams(t, echoDatagram)
	buf := make([]byte, maxDatagram)
	for _, size := range []int{0, 1, 512, 1472, 1473, 8192, 65507} {
		sent := bytes.Repeat([]byte{byte(size)}, size)
		if _, err := conn.Write(sent); err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		n, err := conn.Read(buf)
		if err != nil || !bytes.Equal(buf[:n], sent) {
			t.Errorf("%d bytes: got %d, %v", size, n, err)
		}
	}
}

func TestUDPDiscardReceivesAndAnswersNothing(t *testing.T) {
	onEach(t, udpDiscardReceivesAndAnswersNothing)
}

func udpDiscardReceivesAndAnswersNothing(t *testing.T, n network) {
	received := make(chan int, 1)
	conn := n.serveDatagrams(t, func(pc net.PacketConn, payload []byte, from net.Addr) {
		if len(payload) == 3 { // the mark, to which only the test answers
			pc.WriteTo(payload, from)
			return
		}
		discardDatagram(pc, payload, from)
		received <- len(payload)
	})
	conn.Write(make([]byte, 8192))
	select {
	case n := <-received:
		if n != 8192 {
			t.Errorf("received %d bytes, want 8192", n)
		}
	case <-time.After(patience):
		t.Fatal("datagram not received")
	}
	conn.Write([]byte("end"))
	buf := make([]byte, maxDatagram)
	if n, err := conn.Read(buf); err != nil || string(buf[:n]) != "end" {
		t.Errorf("the first answer has %d bytes, %v; want the mark", n, err)
	}
}

// sentTo is a PacketConn that counts the datagrams written to it.
type sentTo struct {
	net.PacketConn
	count int
}

func (s *sentTo) WriteTo(p []byte, _ net.Addr) (int, error) {
	s.count++
	return len(p), nil
}

// otherAddr is a net.Addr of no kind that is known.
type otherAddr string

func (otherAddr) Network() string  { return "udp" }
func (a otherAddr) String() string { return string(a) }

func TestUDPEchoDoesNotAnswerReservedPorts(t *testing.T) {
	tests := []struct {
		from net.Addr
		want int
	}{
		{&net.UDPAddr{IP: net.IPv4(10, 0, 2, 2), Port: 1024}, 1},
		{&net.UDPAddr{IP: net.IPv4(10, 0, 2, 2), Port: 1023}, 0},
		{&net.UDPAddr{IP: net.IPv4(10, 0, 2, 2), Port: 7}, 0},
		{otherAddr("10.0.2.2:5001"), 1},
		{otherAddr("[fe80::2%eth0]:7"), 0},
		{otherAddr("nowhere"), 0},
	}
	for _, test := range tests {
		var pc sentTo
		if echoDatagram(&pc, []byte("x"), test.from); pc.count != test.want {
			t.Errorf("from %v: %d answers, want %d", test.from, pc.count, test.want)
		}
	}
}
