package inet

import (
	"encoding/binary"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/socket"
)

// setPortRange is IP_LOCAL_PORT_RANGE: the lower bound in the low half.
func setPortRange(sk *socket.Sock, val []byte) error {
	if len(val) != socket.SizeofInt {
		return errno.EINVAL
	}
	v := binary.NativeEndian.Uint32(val)
	lo, hi := v&0xffff, v>>16
	if lo != 0 && hi != 0 && lo > hi {
		return errno.EINVAL
	}
	Of(sk).opts.more.portRange.Store(v)
	return nil
}

func getPortRange(sk *socket.Sock, val []byte) (int, error) {
	return putSmall(val, int(int32(Of(sk).opts.more.portRange.Load())))
}

// LocalPorts returns the bounds of the ports that the Sock's port is picked
// from, and whether the program set them (inet_sk_get_local_port_range).
func (is *Sock) localPorts() (lo, hi uint16, set bool) {
	v := is.opts.more.portRange.Load()
	lo, hi = is.Net.IP().PortRange()
	if l := uint16(v); l != 0 && l >= lo {
		lo = l
	}
	if h := uint16(v >> 16); h != 0 && h <= hi {
		hi = h
	}
	return lo, hi, v != 0 && lo <= hi
}
