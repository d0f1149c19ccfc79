package inet

import (
	"encoding/binary"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/netfilter"
	"github.com/tamanet/tamanet/net/socket"
)

// options are those of SOL_IP and SOL_IPV6 on one Sock. Fields are atomic:
// reading an option takes no lock.
type options struct {
	ttl    atomic.Int32 // -1 is the default
	tos    atomic.Int32
	hops   atomic.Int32 // -1 is the default
	tclass atomic.Int32
	v6only atomic.Int32
	more   moreOptions
}

// defaultTTL is the TTL and hop limit of packets whose socket sets none
// (net.ipv4.ip_default_ttl, net.ipv6.conf.*.hop_limit), gVisor's too.
const defaultTTL = 64

// Options of level SOL_IP (include/uapi/linux/in.h).
const (
	IP_TOS = 1
	IP_TTL = 2
)

// Options of level SOL_IPV6 (include/uapi/linux/in6.h).
const (
	IPV6_UNICAST_HOPS = 16
	IPV6_V6ONLY       = 26
	IPV6_TCLASS       = 67
)

// ecnMask is the part of TOS and traffic class that TCP keeps for itself
// (INET_ECN_MASK).
const ecnMask = 3

func (o *options) init(net *netdev.Stack) {
	o.ttl.Store(-1)
	o.hops.Store(-1)
	o.v6only.Store(int32(socket.BoolInt(net.Sysctl.BindV6Only.Load())))
}

func (o *options) inherit(from *options) {
	o.ttl.Store(from.ttl.Load())
	o.tos.Store(from.tos.Load())
	o.hops.Store(from.hops.Load())
	o.tclass.Store(from.tclass.Load())
	o.v6only.Store(from.v6only.Load())
	o.more.inherit(&from.more)
}

// apply sets on a fresh endpoint what differs from gVisor's defaults.
func (o *options) apply(family int, ep tcpip.Endpoint) {
	if v := o.ttl.Load(); v >= 0 {
		ep.SetSockOptInt(tcpip.IPv4TTLOption, int(v))
	}
	if v := o.tos.Load(); v != 0 {
		ep.SetSockOptInt(tcpip.IPv4TOSOption, int(v))
	}
	if family != socket.AF_INET6 {
		return
	}
	if v := o.hops.Load(); v >= 0 {
		ep.SetSockOptInt(tcpip.IPv6HopLimitOption, int(v))
	}
	if v := o.tclass.Load(); v != 0 {
		ep.SetSockOptInt(tcpip.IPv6TrafficClassOption, int(v))
	}
	if v := o.v6only.Load(); v != 0 {
		ep.SocketOptions().SetV6Only(true)
	}
}

// applySocketOptions sets on a fresh endpoint the options of SOL_SOCKET that
// differ from gVisor's defaults.
func (is *Sock) applySocketOptions(ep tcpip.Endpoint) {
	for _, name := range [...]int{
		socket.SO_REUSEADDR, socket.SO_REUSEPORT, socket.SO_KEEPALIVE, socket.SO_BROADCAST,
		socket.SO_LINGER, socket.SO_SNDBUF, socket.SO_RCVBUF, socket.SO_BUF_LOCK,
		socket.SO_BINDTODEVICE, socket.SO_MARK, socket.SO_NO_CHECK,
	} {
		is.applySocketOption(ep, name, true)
	}
}

// applySocketOption passes one option of SOL_SOCKET to an endpoint; fresh
// says that it has gVisor's defaults.
func (is *Sock) applySocketOption(ep tcpip.Endpoint, name int, fresh bool) {
	so := ep.SocketOptions()
	flag := func(f socket.SockFlag, set func(bool)) {
		if on := is.Flag(f); on || !fresh {
			set(on)
		}
	}
	switch name {
	case socket.SO_REUSEADDR:
		flag(socket.FlagReuse, so.SetReuseAddress)
	case socket.SO_REUSEPORT:
		flag(socket.FlagReusePort, so.SetReusePort)
	case socket.SO_KEEPALIVE:
		flag(socket.FlagKeepOpen, so.SetKeepAlive)
	case socket.SO_BROADCAST:
		flag(socket.FlagBroadcast, so.SetBroadcast)
	case socket.SO_LINGER:
		flag(socket.FlagLinger, func(on bool) {
			so.SetLinger(tcpip.LingerOption{Enabled: on, Timeout: min(is.Linger(), time.Duration(1<<62))})
		})
	case socket.SO_BINDTODEVICE, socket.SO_BINDTOIFINDEX:
		if index := is.BoundDevIf(); index != 0 || !fresh {
			so.SetBindToDevice(int32(index))
		}
	case socket.SO_MARK:
		if m := is.Mark(); m != 0 || !fresh {
			so.SetMark(m)
		}
	case socket.SO_NO_CHECK:
		flag(socket.FlagNoCheck, so.SetNoChecksum)
	case socket.SO_SNDBUF:
		if n := is.SndBuf(); n != 0 {
			so.SetSendBufferSize(int64(n), true)
		}
	case socket.SO_RCVBUF:
		if n := is.RcvBuf(); n != 0 {
			so.SetReceiveBufferSize(int64(n), true)
		}
	case socket.SO_BUF_LOCK:
		// gVisor stops growing a buffer once a size was set.
		lock := is.BufLock()
		if lock&socket.SOCK_SNDBUF_LOCK != 0 && is.SndBuf() == 0 {
			so.SetSendBufferSize(so.GetSendBufferSize(), true)
		}
		if lock&socket.SOCK_RCVBUF_LOCK != 0 && is.RcvBuf() == 0 {
			so.SetReceiveBufferSize(so.GetReceiveBufferSize(), true)
		}
	}
}

// OptionSet passes an option of SOL_SOCKET that was just set to the endpoint;
// a Proto over endpoints calls it as its socket.OptionWatcher.
func (is *Sock) OptionSet(name int) {
	if ep := is.ep.Load(); ep != nil {
		is.applySocketOption(ep, name, false)
	}
}

// pass sets an int option on the endpoint if there is one.
func (is *Sock) pass(name tcpip.SockOptInt, v int) {
	if ep := is.ep.Load(); ep != nil {
		ep.SetSockOptInt(name, v)
	}
}

// IPOptions and IPv6Options are the tables of levels SOL_IP and SOL_IPV6.
var (
	IPOptions = socket.NewOptionTable(append(moreIPOptions(),
		ipOption(IP_TOS, "IP_TOS", setTOS, func(is *Sock) int { return int(is.opts.tos.Load()) }),
		ipOption(IP_TTL, "IP_TTL", setTTL, func(is *Sock) int { return orDefault(is.opts.ttl.Load()) }),
	)...)
	IPv6Options = socket.NewOptionTable(append(moreIPv6Options(),
		ipv6Option(IPV6_UNICAST_HOPS, "IPV6_UNICAST_HOPS", setHops, func(is *Sock) int { return orDefault(is.opts.hops.Load()) }),
		ipv6Option(IPV6_V6ONLY, "IPV6_V6ONLY", setV6Only, func(is *Sock) int { return int(is.opts.v6only.Load()) }),
		ipv6Option(IPV6_TCLASS, "IPV6_TCLASS", setTClass, func(is *Sock) int { return int(is.opts.tclass.Load()) }),
	)...)
)

func orDefault(v int32) int {
	if v < 0 {
		return defaultTTL
	}
	return int(v)
}

// ipOption makes an option as do_ip_setsockopt and do_ip_getsockopt treat
// them: an int, a byte, or nothing, which is 0; a small value fits a byte.
func ipOption(name int, label string, set func(is *Sock, v int) error, get func(is *Sock) int) socket.Option {
	return socket.Option{
		Level: socket.SOL_IP, Name: name, Label: label,
		Set: func(sk *socket.Sock, val []byte) error {
			v := 0
			switch {
			case len(val) >= socket.SizeofInt:
				v = int(int32(binary.NativeEndian.Uint32(val)))
			case len(val) > 0:
				v = int(val[0])
			}
			if len(val) == 0 && name == IP_TTL {
				return errno.EINVAL
			}
			return set(Of(sk), v)
		},
		Get: func(sk *socket.Sock, val []byte) (int, error) {
			v := get(Of(sk))
			if len(val) > 0 && len(val) < socket.SizeofInt && v >= 0 && v <= 255 {
				val[0] = byte(v)
				return 1, nil
			}
			return socket.PutInt(val, v)
		},
	}
}

// ipv6Option makes an option as do_ipv6_setsockopt treats most: an int.
func ipv6Option(name int, label string, set func(is *Sock, v int) error, get func(is *Sock) int) socket.Option {
	s, g := socket.IntOption(
		func(sk *socket.Sock, v int) error { return set(Of(sk), v) },
		func(sk *socket.Sock) int { return get(Of(sk)) })
	return socket.Option{Level: socket.SOL_IPV6, Name: name, Label: label, Set: s, Get: g}
}

func setTOS(is *Sock, v int) error {
	v &= 0xff
	if is.Type == socket.SOCK_STREAM {
		v = v&^ecnMask | int(is.opts.tos.Load())&ecnMask
	}
	is.opts.tos.Store(int32(v))
	is.pass(tcpip.IPv4TOSOption, v)
	return nil
}

func setTTL(is *Sock, v int) error {
	if v != -1 && (v < 1 || v > 255) {
		return errno.EINVAL
	}
	is.opts.ttl.Store(int32(v))
	is.pass(tcpip.IPv4TTLOption, max(v, tcpip.UseDefaultIPv4TTL))
	return nil
}

func setHops(is *Sock, v int) error {
	if v < -1 || v > 255 {
		return errno.EINVAL
	}
	is.opts.hops.Store(int32(v))
	is.pass(tcpip.IPv6HopLimitOption, v)
	return nil
}

func setTClass(is *Sock, v int) error {
	if v < -1 || v > 255 {
		return errno.EINVAL
	}
	v = max(v, 0)
	if is.Type == socket.SOCK_STREAM {
		v = v&^ecnMask | int(is.opts.tclass.Load())&ecnMask
	}
	is.opts.tclass.Store(int32(v))
	is.pass(tcpip.IPv6TrafficClassOption, v)
	return nil
}

func setV6Only(is *Sock, v int) error {
	is.Lock()
	defer is.Unlock()
	if is.Bound() {
		return errno.EINVAL
	}
	is.opts.v6only.Store(int32(socket.BoolInt(v != 0)))
	if ep := is.ep.Load(); ep != nil {
		ep.SocketOptions().SetV6Only(v != 0)
	}
	return nil
}

// SetSockOpt sets an option of a level that is not the protocol's own:
// Linux's ip_setsockopt and ipv6_setsockopt. Another level than the family's
// is ENOPROTOOPT.
func (is *Sock) SetSockOpt(level, name int, val []byte) error {
	t := is.table(level)
	if t == nil {
		return errno.ENOPROTOOPT
	}
	err := t.Set(&is.Sock, name, val)
	if err == errno.ENOPROTOOPT && handled(level, name) {
		return netfilter.SetSockOpt(&is.Sock, pf(level), name, val)
	}
	return err
}

// GetSockOpt reads what [Sock.SetSockOpt] sets. Another level than the
// family's is EOPNOTSUPP on AF_INET (do_ip_getsockopt) and ENOPROTOOPT on
// AF_INET6.
func (is *Sock) GetSockOpt(level, name int, val []byte) (int, error) {
	t := is.table(level)
	switch {
	case t == nil && is.Family == socket.AF_INET:
		return 0, errno.EOPNOTSUPP
	case t == nil:
		return 0, errno.ENOPROTOOPT
	}
	n, err := t.Get(&is.Sock, name, val)
	if err == errno.ENOPROTOOPT && handled(level, name) {
		return netfilter.GetSockOpt(&is.Sock, pf(level), name, val)
	}
	return n, err
}

// handled reports whether netfilter is asked about an unknown option
// (ip_setsockopt).
func handled(level, name int) bool {
	return level != socket.SOL_IP || name != IP_HDRINCL && name != IP_IPSEC_POLICY && name != IP_XFRM_POLICY
}

// pf is the family of a level's options.
func pf(level int) int {
	if level == socket.SOL_IPV6 {
		return socket.AF_INET6
	}
	return socket.AF_INET
}

// OriginalDst implements netfilter.OriginalDster: where a connection that was
// redirected was going to, or ENOENT.
func (is *Sock) OriginalDst() (socket.Sockaddr, error) {
	ep := is.ep.Load()
	if ep == nil {
		return socket.Sockaddr{}, errno.ENOENT
	}
	var o tcpip.OriginalDestinationOption
	if ep.GetSockOpt(&o) != nil {
		return socket.Sockaddr{}, errno.ENOENT
	}
	return is.ToSockaddr(tcpip.FullAddress(o)), nil
}

func (is *Sock) table(level int) *socket.OptionTable {
	switch {
	case level == socket.SOL_IP:
		return IPOptions
	case level == socket.SOL_IPV6 && is.Family == socket.AF_INET6:
		return IPv6Options
	}
	return nil
}

// V6Only reports whether IPV6_V6ONLY is on.
func (is *Sock) V6Only() bool { return is.opts.v6only.Load() != 0 }
