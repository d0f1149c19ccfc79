package stdnet

import (
	"sync/atomic"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// A burst drops frames in a row, once, as a queue does that is full: at most
// so many, and none that comes later than burstTime after the first, when
// they are sent again.
type burst struct {
	stack.LinkEndpoint
	after, length int64
	seen, dropped atomic.Int64
	first         atomic.Int64 // when, in nanoseconds of Unix time
}

const (
	burstTime = 20 * time.Millisecond
	// fullSized is what frames have at least that carry data.
	fullSized = 1000
)

func (l *burst) WritePackets(pkts stack.PacketBufferList) (int, tcpip.Error) {
	for _, p := range pkts.AsSlice() {
		if p.Size() > fullSized && l.lost() {
			continue
		}
		var one stack.PacketBufferList
		one.PushBack(p)
		if _, err := l.LinkEndpoint.WritePackets(one); err != nil {
			return 0, err
		}
	}
	return pkts.Len(), nil
}

func (l *burst) lost() bool {
	n := l.seen.Add(1)
	if n <= l.after || n > l.after+l.length {
		return false
	}
	now := time.Now().UnixNano()
	l.first.CompareAndSwap(0, now)
	if time.Duration(now-l.first.Load()) > burstTime {
		return false
	}
	l.dropped.Add(1)
	return true
}

// TestBurstLoss loses many segments in a row in the middle of a transfer,
// which has to arrive whole.
func TestBurstLoss(t *testing.T) {
	for _, length := range []int64{50, 200} {
		var sender *burst
		a, b := joined(t, func(i int, end stack.LinkEndpoint) stack.LinkEndpoint {
			if i != 0 {
				return end
			}
			sender = &burst{LinkEndpoint: end, after: 3000, length: length}
			return sender
		})
		transfer(t, a, b, 8<<20)
		if n := sender.dropped.Load(); n == 0 {
			t.Error("nothing was lost")
		} else {
			t.Logf("%d segments lost in a row", n)
		}
	}
}
