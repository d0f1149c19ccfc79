package tcp

import (
	"reflect"

	gtcp "gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"github.com/tamanet/tamanet/net/inet"
	"github.com/tamanet/tamanet/net/socket"
)

// gVisor's endpoints tell nothing of their sequence numbers, but their lock is
// exported. Under it, their fields are read by name; reflection lets unexported
// integers be read, and only read. RcvBufUsed alone has a lock of its own, which
// cannot be had: what is read may be old by a receive beside it. A release that names them otherwise fails
// here when the package is initialised.
var (
	epSnd     = fieldOf(reflect.TypeFor[gtcp.Endpoint](), "snd")
	epRcv     = fieldOf(reflect.TypeFor[gtcp.Endpoint](), "rcv")
	epClosed  = fieldOf(reflect.TypeFor[gtcp.Endpoint](), "closed")
	epSndUsed = fieldOf(reflect.TypeFor[gtcp.Endpoint](), "sndQueueInfo", "SndBufUsed")
	sndState  = fieldOf(epSnd.typ.Elem(), "TCPSenderState")
	sndUna    = fieldOf(sndState.typ, "SndUna")
	sndNxt    = fieldOf(sndState.typ, "SndNxt")
	sndWnd    = fieldOf(sndState.typ, "SndWnd")
	sndOut    = fieldOf(sndState.typ, "Outstanding")
	sndSacked = fieldOf(sndState.typ, "SackedOut")
	rcvNxt    = fieldOf(epRcv.typ.Elem(), "RcvNxt")
	rcvClosed = fieldOf(epRcv.typ.Elem(), "closed")
	epRcvUsed = fieldOf(reflect.TypeFor[gtcp.Endpoint](), "RcvBufUsed")
	epRcvMem  = fieldOf(reflect.TypeFor[gtcp.Endpoint](), "rcvMemUsed")
	epSndSet  = fieldOf(reflect.TypeFor[gtcp.Endpoint](), "sndQueueInfo", "AutoTuneSndBufDisabled")
)

// A field is a place in a structure of gVisor's.
type field struct {
	index []int
	typ   reflect.Type
}

func fieldOf(t reflect.Type, path ...string) (f field) {
	f.typ = t
	for _, name := range path {
		sf, ok := f.typ.FieldByName(name)
		if !ok {
			panic("tcp: gVisor's " + f.typ.String() + " has no field " + name)
		}
		f.index = append(f.index, sf.Index...)
		f.typ = sf.Type
	}
	return f
}

func (f field) of(v reflect.Value) reflect.Value { return v.FieldByIndex(f.index) }

// A segState is where a connection's sequence numbers stand (RFC 9293 §3.3.1).
type segState struct {
	una, nxt    uint32 // SND.UNA and SND.NXT
	write       uint32 // what the next byte written will have, Linux's write_seq
	wnd         uint32 // SND.WND, bytes
	rcvNxt      uint32 // RCV.NXT, less one for a FIN
	queued      int    // bytes received and not read
	out, sacked int    // segments in flight, and those of them selectively acknowledged
}

// segments returns where ep stands, and false unless it has a connection.
func segments(ep *inet.Endpoint) (s segState, ok bool) {
	tep, isTCP := ep.Endpoint.(*gtcp.Endpoint)
	if !isTCP {
		return s, false
	}
	tep.LockUser()
	defer tep.UnlockUser()
	v := reflect.ValueOf(tep).Elem()
	snd, rcv := epSnd.of(v), epRcv.of(v)
	if snd.IsNil() || rcv.IsNil() {
		return s, false
	}
	st := sndState.of(snd.Elem())
	s.una, s.nxt = uint32(sndUna.of(st).Uint()), uint32(sndNxt.of(st).Uint())
	s.wnd = uint32(sndWnd.of(st).Uint())
	s.out, s.sacked = int(sndOut.of(st).Int()), int(sndSacked.of(st).Int())
	s.rcvNxt = uint32(rcvNxt.of(rcv.Elem()).Uint())
	if rcvClosed.of(rcv.Elem()).Bool() {
		s.rcvNxt--
	}
	s.queued = int(epRcvUsed.of(v).Int())
	// The FIN is counted neither when it is queued nor, but wrongly, when it
	// is acknowledged.
	s.write = s.una + uint32(max(0, epSndUsed.of(v).Int()))
	if state(ep).In(socket.TCP_FIN_WAIT1, socket.TCP_CLOSING, socket.TCP_LAST_ACK) {
		s.write++
	}
	return s, true
}

// unacked is what SIOCOUTQ tells: the bytes that the peer has not
// acknowledged, a FIN being one.
func (s segState) unacked() int { return int(int32(s.write - s.una)) }

// notSent is what SIOCOUTQNSD tells: the bytes that have not gone out.
func (s segState) notSent() int { return max(0, int(int32(s.write-s.nxt))) }

// sendQueue returns what of ep is unacknowledged and what is not sent.
func sendQueue(ep *inet.Endpoint) (unacked, notSent int) {
	if s, ok := segments(ep); ok {
		return s.unacked(), s.notSent()
	}
	return 0, 0
}
