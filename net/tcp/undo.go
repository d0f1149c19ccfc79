package tcp

import (
	"sync/atomic"
	"unsafe"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/seqnum"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	gtcp "gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// Where the network reorders segments, what comes too late is taken for lost: it is sent again, and the congestion window
// is reduced, each time. gVisor finds out by the time stamps that there was no loss (RFC 3522), and counts it, but the
// window stays as it is. Here it gets back what it was, as on Linux (RFC 4015, tcp_try_undo_recovery).
//
// What it was is known from the acknowledgement before: nothing is taken for lost but after one with SACK blocks. So
// connections are looked at from one such until their data arrives in order again. All of that is done as a segment comes
// in, before gVisor has it, and what came of the one before is seen then.
//
// Timeouts are not undone, and nothing is for peers without SACK or without time stamps.

// timestampsLen is what time stamps take of a header, with the padding that all use (RFC 7323 appendix A).
const timestampsLen = 12

// undos are a stack's connections that are looked at.
type undos struct {
	open   atomic.Int32 // how many there are
	priors perEndpoint[prior]
}

// prior is what a connection had before segments of it were taken for lost. An endpoint's goes with the endpoint, under
// whose lock it is.
type prior struct {
	cwnd, ssthresh int          // segments
	last           seqnum.Value // which recovery was the last before, by where it ended
	open           bool         // these are known
}

// consider looks at what became of the segments before the one that came in, h. It waits for no endpoint's lock: then a
// later one will do.
func (u *undos) consider(ep stack.TransportEndpoint, h header.TCP) {
	// More options than time stamps are SACK blocks, but for those of a SYN.
	sacks := h.DataOffset() > header.TCPMinimumSize+timestampsLen
	if !sacks && u.open.Load() == 0 || h.Flags()&(header.TCPFlagSyn|header.TCPFlagAck) != header.TCPFlagAck {
		return
	}
	tep, ok := ep.(*gtcp.Endpoint)
	if !ok || !tep.TryLock() {
		return
	}
	defer tep.ResumeWork()
	if p := u.priors.of(tep, sacks); p != nil {
		if s, ok := congestionOf(tep); ok {
			u.open.Add(p.step(s, sacks))
		}
	}
}

// forget is for a connection whose endpoint went.
func (u *undos) forget(p *prior) {
	if p.open {
		u.open.Add(-1)
	}
}

// step goes on with the state of the connection, before a segment with or without SACK blocks. It returns by how
// many more connections are to be looked at.
func (p *prior) step(s congestion, sacks bool) (more int32) {
	was := p.open
	undo := p.open && *s.spurious && *s.last != p.last
	switch {
	case *s.state == tcpip.RTORecovery:
		*p = prior{}
	case *s.recovering:
		if undo {
			// gVisor makes ssthresh the window when the recovery ends.
			*s.cwnd, *s.ssthresh = max(*s.cwnd, p.cwnd), max(*s.ssthresh, p.cwnd)
		}
	default:
		if undo {
			*s.cwnd, *s.ssthresh = max(*s.cwnd, p.cwnd), max(*s.ssthresh, p.ssthresh)
		}
		*p = prior{}
		if sacks {
			*p = prior{cwnd: *s.cwnd, ssthresh: *s.ssthresh, last: *s.last, open: true}
		}
	}
	return int32(bit(p.open) - bit(was))
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// congestion is the state of an endpoint's congestion control, which may be written.
type congestion struct {
	cwnd, ssthresh *int // segments
	state          *tcpip.CongestionControlState
	last           *seqnum.Value // byte that was sent when the last recovery began
	// recovering says that segments were taken for lost, other than by a timeout; spurious that this, or the last time,
	// was wrong.
	recovering, spurious *bool
}

// congestionOf returns ep's, and false unless it has a connection with SACK and time stamps: without these, gVisor takes each
// recovery for spurious. ep is locked.
func congestionOf(ep *gtcp.Endpoint) (c congestion, ok bool) {
	base := unsafe.Pointer(ep)
	snd := unsafe.Pointer(*atSnd.in(base))
	if snd == nil || !ep.SendTSOk || !ep.SACKPermitted {
		return c, false
	}
	return congestion{
		cwnd:       atCwnd.in(snd),
		ssthresh:   atSsthresh.in(snd),
		state:      atCAState.in(snd),
		last:       atRecoverLast.in(snd),
		recovering: atRecovering.in(snd),
		spurious:   atSpurious.in(snd),
	}, true
}
