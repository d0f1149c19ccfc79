package tcp_test

import (
	"runtime"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/tamanet/tamanet/net/socket"
	"github.com/tamanet/tamanet/net/tcp"
)

const pshAck = header.TCPFlagPsh | header.TCPFlagAck

// request sends data, waits for as much, and returns how many acknowledgements by themselves came before. What is sent a second
// time does not count.
func (c *client) request(data string) (alone int) {
	c.t.Helper()
	c.sendData(pshAck, []byte(data))
	h := c.receive("the answer", func(h header.TCP) bool {
		if h.Flags() == header.TCPFlagAck {
			alone++
		}
		return h.Flags() == pshAck && h.SequenceNumber() == c.ack
	})
	if h.AckNumber() != c.seq {
		c.t.Fatalf("the answer acknowledges %d, want %d", h.AckNumber(), c.seq)
	}
	c.ack += uint32(len(data))
	return alone
}

// oneProcessor makes goroutines run one after the other, as on a machine with one processor, where whether an answer comes
// in time does not hang on chance.
func oneProcessor(t *testing.T) {
	n := runtime.GOMAXPROCS(1)
	t.Cleanup(func() { runtime.GOMAXPROCS(n) })
}

// connection returns a server's task, a client, and the server's end of a connection between them.
func connection(t *testing.T) (task *socket.Task, c *client, fd int) {
	t.Helper()
	task, link := newServer(t)
	c = &client{t: t, link: link}
	return task, c, c.connect(task, listenOn(t, task), 1000)
}

// echo answers what comes on fd, with no more than fits into one segment, until it is closed.
func echo(task *socket.Task, fd int) {
	b := make([]byte, 2048)
	for {
		n, err := task.Recv(fd, b, 0)
		if err != nil || n == 0 {
			return
		}
		task.Send(fd, b[:min(n, 100)], 0)
	}
}

// TestAnswerCarriesAcknowledgement has a program answer short requests: each answer acknowledges its request, and nothing
// else does (RFC 1122 §4.2.3.2).
func TestAnswerCarriesAcknowledgement(t *testing.T) {
	oneProcessor(t)
	task, c, fd := connection(t)
	go echo(task, fd)
	const requests = 50
	alone := 0
	for range requests {
		alone += c.request("request")
	}
	// Should the machine take a processor away at a bad time, one late answer costs quickAcks more.
	if alone > requests/2 {
		t.Errorf("%d of %d requests were acknowledged by a segment of their own", alone, requests)
	}
}

// TestUnansweredIsAcknowledged has a program that reads and does not answer, or does not even read: each segment is
// acknowledged, once.
func TestUnansweredIsAcknowledged(t *testing.T) {
	_, c, _ := connection(t)
	for i := range 40 {
		c.sendData(pshAck, []byte{byte(i)})
		h := c.receive("an acknowledgement", func(h header.TCP) bool { return h.AckNumber() == c.seq })
		if h.Flags() != header.TCPFlagAck {
			t.Fatalf("segment %d is acknowledged by flags %v", i, h.Flags())
		}
	}
}

// TestAtOnce holds what is acknowledged at once: full-sized segments, and what is out of order, for which the sender
// waits (RFC 5681 §4.2).
func TestAtOnce(t *testing.T) {
	oneProcessor(t)
	task, c, fd := connection(t)
	go echo(task, fd)
	isAck := func(h header.TCP) bool { return h.Flags() == header.TCPFlagAck }

	c.sendData(pshAck, make([]byte, 1460))
	if h := c.receive("anything", func(header.TCP) bool { return true }); !isAck(h) || h.AckNumber() != c.seq {
		t.Errorf("a full segment is followed by flags %v, ACK %d, want ACK %d alone", h.Flags(), h.AckNumber(), c.seq)
	}
	c.receive("the answer", func(h header.TCP) bool { c.ack = h.SequenceNumber() + 100; return h.Flags() == pshAck })

	expected := c.seq
	c.seq += 10
	c.sendData(pshAck, make([]byte, 10))
	if h := c.receive("a duplicate acknowledgement", isAck); h.AckNumber() != expected {
		t.Errorf("what is out of order is answered with ACK %d, want %d", h.AckNumber(), expected)
	}
	end := c.seq
	c.seq = expected
	c.sendData(pshAck, make([]byte, 10))
	c.receive("the acknowledgement of both", func(h header.TCP) bool { return h.AckNumber() == end })
}

// TestQuickAck has the program ask for acknowledgements at once (tcp(7), TCP_QUICKACK).
func TestQuickAck(t *testing.T) {
	oneProcessor(t)
	task, c, fd := connection(t)
	if err := task.SetSockOptInt(fd, socket.SOL_TCP, tcp.TCP_QUICKACK, 1); err != nil {
		t.Fatal(err)
	}
	go echo(task, fd)
	for i := range 10 {
		if alone := c.request("x"); alone != 1 {
			t.Fatalf("%d acknowledgements came before answer %d, want one", alone, i)
		}
	}
}

// TestQuickAckOnce has the program ask by even values for what it owes to be acknowledged, and no more (Linux
// net/ipv4/tcp.c __tcp_sock_set_quickack).
func TestQuickAckOnce(t *testing.T) {
	oneProcessor(t)
	for _, tc := range []struct {
		name  string
		value int
		owes  bool
		want  int // what TCP_QUICKACK is then
	}{
		{"even, something owed", 2, true, 0},
		{"odd, something owed", 3, true, 1},
		{"even, nothing owed", 2, false, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			task, c, fd := connection(t)
			got := -1
			// Should the machine take a processor away at a bad time, what was owed is acknowledged before.
			for try := 0; try < 20 && got != tc.want; try++ {
				if tc.owes {
					task.SetSockOptInt(fd, socket.SOL_TCP, tcp.TCP_QUICKACK, 0)
					c.sendData(pshAck, []byte("x"))
					if _, err := task.Recv(fd, make([]byte, 1), 0); err != nil {
						t.Fatal(err)
					}
				}
				if err := task.SetSockOptInt(fd, socket.SOL_TCP, tcp.TCP_QUICKACK, tc.value); err != nil {
					t.Fatal(err)
				}
				var err error
				if got, err = task.GetSockOptInt(fd, socket.SOL_TCP, tcp.TCP_QUICKACK); err != nil {
					t.Fatal(err)
				}
				if tc.owes {
					c.receive("the acknowledgement", func(h header.TCP) bool { return h.AckNumber() == c.seq })
				}
			}
			if got != tc.want {
				t.Errorf("TCP_QUICKACK is %d, want %d", got, tc.want)
			}
		})
	}
}

// TestAcknowledgedInTime has a program that takes its time: the acknowledgement does not wait for it.
func TestAcknowledgedInTime(t *testing.T) {
	task, c, fd := connection(t)
	answer := make(chan struct{})
	go func() {
		b := make([]byte, 16)
		task.Recv(fd, b, 0)
		<-answer
		task.Send(fd, b[:1], 0)
	}()
	c.sendData(pshAck, []byte("slow"))
	c.receive("an acknowledgement", func(h header.TCP) bool { return h.Flags() == header.TCPFlagAck && h.AckNumber() == c.seq })
	close(answer)
	c.receive("the answer", func(h header.TCP) bool { return h.Flags() == pshAck })
}

// TestFullIsAcknowledged fills the receive buffer of a program that does not read, with segments whose acknowledgements
// are all held back: that of the last which fits comes, too.
func TestFullIsAcknowledged(t *testing.T) {
	task, link := newServer(t)
	listener := listenOn(t, task)
	if err := task.SetSockOptInt(listener, socket.SOL_SOCKET, socket.SO_RCVBUF, 1<<14); err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, link: link}
	fd := c.connect(task, listener, 1000)
	start, refused := c.seq, task.Net.IP().Stats().DroppedPackets
	for range 1000 {
		if err := task.SetSockOptInt(fd, socket.SOL_TCP, tcp.TCP_QUICKACK, 0); err != nil {
			t.Fatal(err)
		}
		c.sendData(pshAck, []byte("x"))
		if refused.Value() != 0 {
			return
		}
		c.receive("an acknowledgement", func(h header.TCP) bool { return h.AckNumber() == c.seq })
	}
	t.Fatalf("%d bytes fit in", c.seq-start)
}
