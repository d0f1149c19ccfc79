package tcp

import (
	"reflect"
	"unsafe"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/seqnum"
	gtcp "gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// A place is a field of one of gVisor's structures, seen as a T: for where reflection is too slow,
// and for MaxSentAck and the congestion window, which are written. As with a field, the endpoint's lock is held.
type place[T any] struct{ offset uintptr }

// placeOf finds a field by the names of the fields that it is in. It panics when the package is initialised if
// there is none, or one that is no T.
func placeOf[T any](t reflect.Type, path ...string) (p place[T]) {
	for _, name := range path {
		sf, ok := t.FieldByName(name)
		if !ok || len(sf.Index) != 1 {
			panic("tcp: gVisor's " + t.String() + " has no field " + name)
		}
		p.offset += sf.Offset
		t = sf.Type
	}
	if want := reflect.TypeFor[T](); t.Kind() != want.Kind() || t.Size() != want.Size() {
		panic("tcp: gVisor's field " + path[len(path)-1] + " is no " + want.String())
	}
	return p
}

func (p place[T]) in(base unsafe.Pointer) *T { return (*T)(unsafe.Add(base, p.offset)) }

var (
	atSnd    = placeOf[*byte](reflect.TypeFor[gtcp.Endpoint](), "snd")
	atRcv    = placeOf[*byte](reflect.TypeFor[gtcp.Endpoint](), "rcv")
	atOwner  = placeOf[tcpip.PacketOwner](reflect.TypeFor[gtcp.Endpoint](), "owner")
	atAMSS   = placeOf[uint16](reflect.TypeFor[gtcp.Endpoint](), "amss")
	atMaxAck = placeOf[seqnum.Value](epSnd.typ.Elem(), "TCPSenderState", "MaxSentAck")
	atSndUna = placeOf[seqnum.Value](epSnd.typ.Elem(), "TCPSenderState", "SndUna")

	atCwnd        = placeOf[int](epSnd.typ.Elem(), "TCPSenderState", "SndCwnd")
	atSsthresh    = placeOf[int](epSnd.typ.Elem(), "TCPSenderState", "Ssthresh")
	atRecoverLast = placeOf[seqnum.Value](epSnd.typ.Elem(), "TCPSenderState", "FastRecovery", "Last")
	atRecovering  = placeOf[bool](epSnd.typ.Elem(), "TCPSenderState", "FastRecovery", "Active")
	atCAState     = placeOf[tcpip.CongestionControlState](epSnd.typ.Elem(), "state")
	atSpurious    = placeOf[bool](epSnd.typ.Elem(), "spuriousRecovery")

	atRcvNxt     = placeOf[seqnum.Value](epRcv.typ.Elem(), "TCPReceiverState", "RcvNxt")
	atRcvWnd     = placeOf[seqnum.Size](epRcv.typ.Elem(), "rcvWnd")
	atRcvWUP     = placeOf[seqnum.Value](epRcv.typ.Elem(), "rcvWUP")
	atRcvClosed  = placeOf[bool](epRcv.typ.Elem(), "closed")
	atRcvPending = placeOf[[]*byte](epRcv.typ.Elem(), "pendingRcvdSegments")
)

// ackState is where an endpoint's acknowledgements stand.
type ackState struct {
	// maxSent is what gVisor takes for acknowledged, and writable; see delayed.
	maxSent *seqnum.Value
	// acked is what was acknowledged, and next is RCV.NXT.
	acked, next seqnum.Value
	// una is SND.UNA.
	una seqnum.Value
	// window and mss, in bytes, are what the peer was last told.
	window seqnum.Size
	mss    uint16
	// gap says that segments wait for one before them, and closed that a FIN came.
	gap, closed bool
}

// acks returns ep's state of acknowledgements, and false unless it has a connection. ep is locked.
func acks(ep *gtcp.Endpoint) (s ackState, ok bool) {
	base := unsafe.Pointer(ep)
	snd, rcv := unsafe.Pointer(*atSnd.in(base)), unsafe.Pointer(*atRcv.in(base))
	if snd == nil || rcv == nil {
		return s, false
	}
	return ackState{
		maxSent: atMaxAck.in(snd),
		acked:   *atRcvWUP.in(rcv),
		next:    *atRcvNxt.in(rcv),
		una:     *atSndUna.in(snd),
		window:  *atRcvWnd.in(rcv),
		mss:     *atAMSS.in(base),
		gap:     len(*atRcvPending.in(rcv)) != 0,
		closed:  *atRcvClosed.in(rcv),
	}, true
}

// ownerOf returns the Sock that ep was given to by own, or nil. ep is locked.
func ownerOf(ep *gtcp.Endpoint) *sock {
	t, _ := (*atOwner.in(unsafe.Pointer(ep))).(*sock)
	return t
}
