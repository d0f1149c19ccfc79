package tcp

import (
	"math"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/inet"
	"github.com/tamanet/tamanet/net/socket"
)

// More options of level SOL_TCP (include/uapi/linux/tcp.h).
const (
	TCP_MAXSEG       = 2
	TCP_CORK         = 3
	TCP_SYNCNT       = 7
	TCP_LINGER2      = 8
	TCP_DEFER_ACCEPT = 9
	TCP_WINDOW_CLAMP = 10
	TCP_QUICKACK     = 12
	TCP_CONGESTION   = 13
	TCP_MD5SIG       = 14
	TCP_THIN_LINEAR  = 16
	TCP_THIN_DUPACK  = 17
	TCP_USER_TIMEOUT = 18
	TCP_REPAIR       = 19
	TCP_FASTOPEN     = 23
	TCP_TIMESTAMP    = 24
	TCP_NOTSENT      = 25
	TCP_CC_INFO      = 26
	TCP_SAVE_SYN     = 27
	TCP_SAVED_SYN    = 28
	TCP_FASTOPEN_C   = 30
	TCP_ULP          = 31
	TCP_FASTOPEN_KEY = 33
	TCP_ZEROCOPY     = 35
	TCP_INQ          = 36
	TCP_TX_DELAY     = 37
	TCP_IS_MPTCP     = 43

	// TCP_CM_INQ is the control message of TCP_INQ.
	TCP_CM_INQ = TCP_INQ
)

// The bounds of these options (include/net/tcp.h).
const (
	minMSS         = 88 // TCP_MIN_MSS
	maxWindow      = 32767
	defaultMSS     = 536 // TCP_MSS_DEFAULT
	maxSynRetries  = 127
	defaultSyn     = 6   // net.ipv4.tcp_syn_retries
	defaultLinger2 = 60  // seconds, net.ipv4.tcp_fin_timeout
	maxLinger2     = 120 // seconds, TCP_FIN_TIMEOUT_MAX
	maxRTO         = 120 // seconds
	leastClamp     = 2304 / 2
	maxCongestion  = 16 // TCP_CA_NAME_MAX
)

// moreOptions are those of SOL_TCP beyond keep-alive and TCP_NODELAY.
type moreOptions struct {
	maxSeg      atomic.Int32
	cork        atomic.Bool
	synCount    atomic.Int32
	linger2     atomic.Int32 // 0 is the default, negative none
	deferAccept atomic.Int32 // retransmissions
	clamp       atomic.Int32
	pingpong    atomic.Bool // what came in was answered, or TCP_QUICKACK is off
	thin        atomic.Bool
	userTimeout atomic.Int32 // milliseconds
	notSent     atomic.Uint32
	inq         atomic.Bool
	congestion  atomic.Pointer[string]
}

func (o *moreOptions) inherit(from *moreOptions) {
	o.maxSeg.Store(from.maxSeg.Load())
	o.cork.Store(from.cork.Load())
	o.synCount.Store(from.synCount.Load())
	o.linger2.Store(from.linger2.Load())
	o.clamp.Store(from.clamp.Load())
	o.thin.Store(from.thin.Load())
	o.userTimeout.Store(from.userTimeout.Load())
	o.notSent.Store(from.notSent.Load())
	o.inq.Store(from.inq.Load())
	o.congestion.Store(from.congestion.Load())
}

// apply sets on a fresh endpoint what differs from gVisor's defaults.
func (o *moreOptions) apply(ep tcpip.Endpoint) {
	if v := o.maxSeg.Load(); v != 0 {
		ep.SetSockOptInt(tcpip.MaxSegOption, int(v))
	}
	if o.cork.Load() {
		ep.SocketOptions().SetCorkOption(true)
	}
	if v := o.synCount.Load(); v != 0 {
		ep.SetSockOptInt(tcpip.TCPSynCountOption, int(v))
	}
	if o.linger2.Load() != 0 {
		passLinger2(ep, o.linger2.Load())
	}
	if v := o.deferAccept.Load(); v != 0 {
		passDeferAccept(ep, v)
	}
	if v := o.clamp.Load(); v != 0 {
		ep.SetSockOptInt(tcpip.TCPWindowClampOption, int(v))
	}
	if v := o.userTimeout.Load(); v != 0 {
		passUserTimeout(ep, v)
	}
	if cc := o.congestion.Load(); cc != nil {
		v := tcpip.CongestionControlOption(*cc)
		ep.SetSockOpt(&v)
	}
}

func passLinger2(ep tcpip.Endpoint, seconds int32) {
	v := tcpip.TCPLingerTimeoutOption(time.Duration(seconds) * time.Second)
	ep.SetSockOpt(&v)
}

func passDeferAccept(ep tcpip.Endpoint, retrans int32) {
	v := tcpip.TCPDeferAcceptOption(time.Duration(retransToSecs(retrans)) * time.Second)
	ep.SetSockOpt(&v)
}

func passUserTimeout(ep tcpip.Endpoint, millis int32) {
	v := tcpip.TCPUserTimeoutOption(time.Duration(millis) * time.Millisecond)
	ep.SetSockOpt(&v)
}

// with calls f with the endpoint if there is one.
func (t *sock) with(f func(ep *inet.Endpoint)) {
	if ep := t.Endpoint(); ep != nil {
		f(ep)
	}
}

func moreTCPOptions() []socket.Option {
	return []socket.Option{
		intOption(TCP_MAXSEG, "TCP_MAXSEG", setMaxSeg, getMaxSeg),
		intOption(TCP_CORK, "TCP_CORK", setCork, func(t *sock) int { return socket.BoolInt(t.extra.cork.Load()) }),
		intOption(TCP_SYNCNT, "TCP_SYNCNT", setSynCount, getSynCount),
		intOption(TCP_LINGER2, "TCP_LINGER2", setLinger2, getLinger2),
		intOption(TCP_DEFER_ACCEPT, "TCP_DEFER_ACCEPT", setDeferAccept,
			func(t *sock) int { return retransToSecs(t.extra.deferAccept.Load()) }),
		intOption(TCP_WINDOW_CLAMP, "TCP_WINDOW_CLAMP", setWindowClamp, func(t *sock) int { return int(t.extra.clamp.Load()) }),
		intOption(TCP_QUICKACK, "TCP_QUICKACK", setQuickAck, func(t *sock) int { return socket.BoolInt(!t.extra.pingpong.Load()) }),
		{Level: socket.SOL_TCP, Name: TCP_CONGESTION, Label: "TCP_CONGESTION", Set: setCongestion, Get: getCongestion},
		storedInt(TCP_THIN_LINEAR, "TCP_THIN_LINEAR", setThin,
			func(t *sock) int { return socket.BoolInt(t.extra.thin.Load()) }, "gVisor backs off for thin streams too"),
		storedInt(TCP_THIN_DUPACK, "TCP_THIN_DUPACK", func(_ *sock, v int) error {
			if v < 0 || v > 1 {
				return errno.EINVAL
			}
			return nil
		}, func(*sock) int { return 0 }, "it means nothing on Linux either"),
		intOption(TCP_USER_TIMEOUT, "TCP_USER_TIMEOUT", setUserTimeout, func(t *sock) int { return int(t.extra.userTimeout.Load()) }),
		intOption(TCP_NOTSENT, "TCP_NOTSENT_LOWAT", setNotSent, func(t *sock) int { return int(int32(t.extra.notSent.Load())) }),
		intOption(TCP_INQ, "TCP_INQ", setInq, func(t *sock) int { return socket.BoolInt(t.extra.inq.Load()) }),
		{Level: socket.SOL_TCP, Name: TCP_IS_MPTCP, Label: "TCP_IS_MPTCP", Get: func(_ *socket.Sock, val []byte) (int, error) {
			return socket.PutInt(val, 0)
		}},
		refused(TCP_MD5SIG, "TCP_MD5SIG", "gVisor does not sign segments (RFC 2385)"),
		refused(TCP_REPAIR, "TCP_REPAIR", "connections do not move"),
		refused(TCP_FASTOPEN, "TCP_FASTOPEN", "gVisor sends no data with a SYN (RFC 7413)"),
		refused(TCP_TIMESTAMP, "TCP_TIMESTAMP", "connections do not move"),
		refused(TCP_CC_INFO, "TCP_CC_INFO", "cubic and reno tell nothing"),
		refused(TCP_SAVE_SYN, "TCP_SAVE_SYN", "gVisor does not keep a SYN"),
		refused(TCP_SAVED_SYN, "TCP_SAVED_SYN", "gVisor does not keep a SYN"),
		refused(TCP_FASTOPEN_C, "TCP_FASTOPEN_CONNECT", "gVisor sends no data with a SYN (RFC 7413)"),
		refused(TCP_ULP, "TCP_ULP", "there are no upper layer protocols"),
		refused(TCP_FASTOPEN_KEY, "TCP_FASTOPEN_KEY", "gVisor sends no data with a SYN (RFC 7413)"),
		refused(TCP_ZEROCOPY, "TCP_ZEROCOPY_RECEIVE", "there is no memory to map"),
		refused(TCP_TX_DELAY, "TCP_TX_DELAY", "sending is not paced"),
	}
}

func storedInt(name int, label string, set func(*sock, int) error, get func(*sock) int, why string) socket.Option {
	o := intOption(name, label, set, get)
	o.State, o.Why = socket.OptionStored, why
	return o
}

func refused(name int, label, why string) socket.Option {
	return socket.Option{Level: socket.SOL_TCP, Name: name, Label: label, State: socket.OptionRefused, Why: why}
}

func setMaxSeg(t *sock, v int) error {
	if v != 0 && (v < minMSS || v > maxWindow) {
		return errno.EINVAL
	}
	t.extra.maxSeg.Store(int32(v))
	if v != 0 {
		t.with(func(ep *inet.Endpoint) { ep.SetSockOptInt(tcpip.MaxSegOption, v) })
	}
	return nil
}

// getMaxSeg is what the program set until there is a connection.
func getMaxSeg(t *sock) int {
	switch t.Prot.State(&t.Sock.Sock) {
	case socket.TCP_CLOSE, socket.TCP_LISTEN:
		if v := t.extra.maxSeg.Load(); v != 0 {
			return int(v)
		}
	}
	return defaultMSS
}

func setCork(t *sock, v int) error {
	t.extra.cork.Store(v != 0)
	t.with(func(ep *inet.Endpoint) { ep.SocketOptions().SetCorkOption(v != 0) })
	return nil
}

func setSynCount(t *sock, v int) error {
	if v < 1 || v > maxSynRetries {
		return errno.EINVAL
	}
	t.extra.synCount.Store(int32(v))
	t.with(func(ep *inet.Endpoint) { ep.SetSockOptInt(tcpip.TCPSynCountOption, v) })
	return nil
}

func getSynCount(t *sock) int {
	if v := t.extra.synCount.Load(); v != 0 {
		return int(v)
	}
	return defaultSyn
}

func setLinger2(t *sock, v int) error {
	v = min(max(v, -1), maxLinger2)
	t.extra.linger2.Store(int32(v))
	t.with(func(ep *inet.Endpoint) { passLinger2(ep, int32(v)) })
	return nil
}

func getLinger2(t *sock) int {
	if v := t.extra.linger2.Load(); v != 0 {
		return int(v)
	}
	return defaultLinger2
}

func setDeferAccept(t *sock, v int) error {
	n := secsToRetrans(v)
	t.extra.deferAccept.Store(n)
	t.with(func(ep *inet.Endpoint) { passDeferAccept(ep, n) })
	return nil
}

// secsToRetrans is how many retransmissions, the first after a second and
// each after twice the time, it takes to fill a time (secs_to_retrans).
func secsToRetrans(seconds int) (n int32) {
	if seconds <= 0 {
		return 0
	}
	n = 1
	for period, timeout := 1, 1; seconds > period && n < 255; n++ {
		timeout = min(2*timeout, maxRTO)
		period += timeout
	}
	return n
}

// retransToSecs is the time that retransmissions take (retrans_to_secs).
func retransToSecs(n int32) (seconds int) {
	for timeout := 1; n > 0; n-- {
		seconds += timeout
		timeout = min(2*timeout, maxRTO)
	}
	return seconds
}

func setWindowClamp(t *sock, v int) error {
	if v == 0 && t.Prot.State(&t.Sock.Sock) != socket.TCP_CLOSE {
		return errno.EINVAL
	}
	if v != 0 {
		v = max(int(uint32(v)&math.MaxInt32), leastClamp)
	}
	t.extra.clamp.Store(int32(v))
	t.with(func(ep *inet.Endpoint) { ep.SetSockOptInt(tcpip.TCPWindowClampOption, v) })
	return nil
}

// setCongestion takes a name, of which 15 bytes count, and ENOENT is one that
// is not there (tcp_set_congestion_control).
func setCongestion(sk *socket.Sock, val []byte) error {
	if len(val) < 1 {
		return errno.EINVAL
	}
	name := string(val[:min(len(val), maxCongestion-1)])
	for i := range len(name) {
		if name[i] == 0 {
			name = name[:i]
			break
		}
	}
	if name != "cubic" && name != "reno" {
		return errno.ENOENT
	}
	t := of(sk)
	t.extra.congestion.Store(&name)
	t.with(func(ep *inet.Endpoint) {
		v := tcpip.CongestionControlOption(name)
		ep.SetSockOpt(&v)
	})
	return nil
}

func getCongestion(sk *socket.Sock, val []byte) (int, error) {
	t := of(sk)
	name := "cubic"
	if p := t.extra.congestion.Load(); p != nil {
		name = *p
	} else {
		var v tcpip.CongestionControlOption
		if t.Net.IP().TransportProtocolOption(Prot.Transport(), &v) == nil {
			name = string(v)
		}
	}
	var b [maxCongestion]byte
	copy(b[:], name)
	return copy(val, b[:]), nil
}

// setNotSent takes the low mark as unsigned. Waits look at each segment that
// goes out.
func setNotSent(t *sock, v int) error {
	t.extra.notSent.Store(uint32(v))
	if v != 0 {
		t.with(t.own)
	}
	t.WQ.Notify(waiter.WritableEvents)
	return nil
}

func setThin(t *sock, v int) error {
	if v < 0 || v > 1 {
		return errno.EINVAL
	}
	t.extra.thin.Store(v != 0)
	return nil
}

func setUserTimeout(t *sock, v int) error {
	if v < 0 {
		return errno.EINVAL
	}
	t.extra.userTimeout.Store(int32(v))
	t.with(func(ep *inet.Endpoint) { passUserTimeout(ep, int32(v)) })
	return nil
}

func setInq(t *sock, v int) error {
	if v < 0 || v > 1 {
		return errno.EINVAL
	}
	t.extra.inq.Store(v != 0)
	return nil
}

// tellInq stores how much can still be read, as TCP_INQ asks (tcp_recvmsg). The stream's end counts as one byte.
func tellInq(sk *socket.Sock, ep *inet.Endpoint, m *socket.Msghdr) {
	n := received(ep)
	if n == 0 && shutdownBits(sk, ep, state(ep))&socket.RCV_SHUTDOWN != 0 {
		n = 1
	}
	var b [socket.SizeofInt]byte
	socket.PutInt(b[:], n)
	m.PutCmsg(socket.SOL_TCP, TCP_CM_INQ, b[:])
}

// LowatLimit implements socket.LowatLimiter (tcp_set_rcvlowat).
func (*Proto) LowatLimit(sk *socket.Sock) int {
	if n := sk.RcvBuf(); n != 0 {
		return n / 2
	}
	return inet.Of(sk).Net.Memory().TCPReceive.Max / 2
}
