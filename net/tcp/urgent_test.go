package tcp

import (
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	gtcp "gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// TestUrgentPointersWaitForNoReceive: a receive locks its endpoint, and a
// segment comes in with the sender's locked. If one waited for the other, two
// sockets that send each other urgent bytes would end in a circle.
func TestUrgentPointersWaitForNoReceive(t *testing.T) {
	var marks urgentMarks
	ep := new(gtcp.Endpoint)
	arrive := func(seq uint32) {
		h := header.TCP(make([]byte, header.TCPMinimumSize))
		h.Encode(&header.TCPFields{SeqNum: seq, DataOffset: header.TCPMinimumSize, Flags: header.TCPFlagAck | header.TCPFlagUrg, UrgentPointer: 1})
		marks.receive(ep, h, &stack.PacketBuffer{RXChecksumValidated: true})
	}
	arrive(100)
	u := marks.of(ep, false)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.update()
	came := make(chan struct{})
	go func() {
		defer close(came)
		arrive(150)
		arrive(200)
		arrive(50)
	}()
	select {
	case <-came:
	case <-time.After(time.Minute):
		t.Fatal("a segment waits for a receive")
	}
	if u.seq != 100 || !u.set {
		t.Errorf("the mark is at %d, %v, want where the receive saw it", u.seq, u.set)
	}
	u.update()
	if u.seq != 200 || !u.hasReplaced || u.replaced != 100 {
		t.Errorf("the mark is at %d in place of %d, %v; want 200 in place of 100", u.seq, u.replaced, u.hasReplaced)
	}
}
