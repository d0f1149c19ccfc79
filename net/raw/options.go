package raw

import (
	"encoding/binary"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/socket"
)

// Options (include/uapi/linux/icmp.h, icmpv6.h, in6.h).
const (
	ICMP_FILTER   = 1 // SOL_RAW
	ICMPV6_FILTER = 1 // SOL_ICMPV6
	IPV6_CHECKSUM = 7 // SOL_IPV6, SOL_RAW
)

// Lengths of struct icmp_filter and icmp6_filter in bytes.
const (
	sizeofICMPFilter  = 4
	sizeofICMP6Filter = 32
)

// SetSockOpt is Linux's raw_setsockopt and rawv6_setsockopt.
func (*Proto) SetSockOpt(sk *socket.Sock, level, name int, val []byte) error {
	r := of(sk)
	switch {
	case level == socket.SOL_RAW && sk.Family == socket.AF_INET:
		return r.setFilter4(name, val)
	case level == socket.SOL_ICMPV6 && sk.Family == socket.AF_INET6:
		return r.setFilter6(name, val)
	case r.isChecksum(level, name):
		return r.setChecksum(level, val)
	case level == socket.SOL_RAW && sk.Family == socket.AF_INET6 && len(val) < socket.SizeofInt:
		return errno.EINVAL
	case sk.Family == socket.AF_INET6 && (level == socket.SOL_RAW || level == socket.SOL_IP):
		return errno.ENOPROTOOPT
	}
	return r.is.SetSockOpt(level, name, val)
}

// GetSockOpt is Linux's raw_getsockopt and rawv6_getsockopt.
func (*Proto) GetSockOpt(sk *socket.Sock, level, name int, val []byte) (int, error) {
	r := of(sk)
	switch {
	case level == socket.SOL_RAW && sk.Family == socket.AF_INET:
		if name != ICMP_FILTER {
			return 0, errno.ENOPROTOOPT
		}
		if sk.Protocol != socket.IPPROTO_ICMP {
			return 0, errno.EOPNOTSUPP
		}
		return copy(val, binary.NativeEndian.AppendUint32(nil, r.filter4.Load())), nil
	case level == socket.SOL_ICMPV6 && sk.Family == socket.AF_INET6:
		if err := r.mayFilter6(name); err != nil {
			return 0, err
		}
		var b []byte
		for i := range r.filter6 {
			b = binary.NativeEndian.AppendUint32(b, r.filter6[i].Load())
		}
		return copy(val, b), nil
	case r.isChecksum(level, name):
		return socket.PutInt(val, int(r.checksum.Load()))
	case sk.Family == socket.AF_INET6 && (level == socket.SOL_RAW || level == socket.SOL_IP):
		return 0, errno.ENOPROTOOPT
	}
	return r.is.GetSockOpt(level, name, val)
}

// mayFilter6 refuses a Sock of another protocol than ICMPv6, EOPNOTSUPP, and
// another option, ENOPROTOOPT.
func (r *sock) mayFilter6(name int) error {
	switch {
	case r.is.Protocol != socket.IPPROTO_ICMPV6:
		return errno.EOPNOTSUPP
	case name != ICMPV6_FILTER:
		return errno.ENOPROTOOPT
	}
	return nil
}

// setFilter4 is Linux's raw_seticmpfilter. What is short leaves the rest of
// the filter as it was.
func (r *sock) setFilter4(name int, val []byte) error {
	if name != ICMP_FILTER {
		return errno.ENOPROTOOPT
	}
	if r.is.Protocol != socket.IPPROTO_ICMP {
		return errno.EOPNOTSUPP
	}
	b := binary.NativeEndian.AppendUint32(nil, r.filter4.Load())
	copy(b, val[:min(len(val), sizeofICMPFilter)])
	r.filter4.Store(binary.NativeEndian.Uint32(b))
	return nil
}

// setFilter6 is Linux's rawv6_seticmpfilter.
func (r *sock) setFilter6(name int, val []byte) error {
	if err := r.mayFilter6(name); err != nil {
		return err
	}
	b := make([]byte, 0, sizeofICMP6Filter)
	for i := range r.filter6 {
		b = binary.NativeEndian.AppendUint32(b, r.filter6[i].Load())
	}
	copy(b, val[:min(len(val), sizeofICMP6Filter)])
	for i := range r.filter6 {
		r.filter6[i].Store(binary.NativeEndian.Uint32(b[4*i:]))
	}
	if ep := r.is.Endpoint(); ep != nil {
		r.applyFilter6(ep)
	}
	return nil
}

func (r *sock) applyFilter6(ep tcpip.Endpoint) {
	var f tcpip.ICMPv6Filter
	for i := range f.DenyType {
		f.DenyType[i] = r.filter6[i].Load()
	}
	ep.SetSockOpt(&f)
}

// isChecksum reports whether the option is IPV6_CHECKSUM, which has two
// levels.
func (r *sock) isChecksum(level, name int) bool {
	return r.is.Family == socket.AF_INET6 && name == IPV6_CHECKSUM && (level == socket.SOL_IPV6 || level == socket.SOL_RAW)
}

// setChecksum says where in a packet the checksum is: an even number, or a
// negative one for nowhere. That of ICMPv6 cannot be changed on level
// SOL_IPV6 (RFC 3542 §3.1). EINVAL otherwise.
func (r *sock) setChecksum(level int, val []byte) error {
	v, err := socket.OptInt(val)
	switch {
	case err != nil:
		return err
	case r.is.Protocol == socket.IPPROTO_ICMPV6 && level == socket.SOL_IPV6:
		return errno.EINVAL
	case v > 0 && v&1 != 0:
		return errno.EINVAL
	}
	v = max(v, -1)
	r.checksum.Store(int32(v))
	if ep := r.is.Endpoint(); ep != nil {
		ep.SetSockOptInt(tcpip.IPv6Checksum, v)
	}
	return nil
}

var _ socket.Filterer = Prot

// Filters implements socket.Filterer.
func (*Proto) Filters(*socket.Sock) bool { return true }
