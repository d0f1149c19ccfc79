package packet

import (
	"encoding/binary"
	"net"
	"sync/atomic"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/socket"
)

// Options of level SOL_PACKET (include/uapi/linux/if_packet.h).
const (
	PACKET_ADD_MEMBERSHIP  = 1
	PACKET_DROP_MEMBERSHIP = 2
	PACKET_RX_RING         = 5
	PACKET_STATISTICS      = 6
	PACKET_COPY_THRESH     = 7
	PACKET_AUXDATA         = 8
	PACKET_ORIGDEV         = 9
	PACKET_VERSION         = 10
	PACKET_HDRLEN          = 11
	PACKET_RESERVE         = 12
	PACKET_TX_RING         = 13
	PACKET_LOSS            = 14
	PACKET_VNET_HDR        = 15
	PACKET_TX_TIMESTAMP    = 16
	PACKET_TIMESTAMP       = 17
	PACKET_FANOUT          = 18
	PACKET_TX_HAS_OFF      = 19
	PACKET_QDISC_BYPASS    = 20
	PACKET_ROLLOVER_STATS  = 21
	PACKET_FANOUT_DATA     = 22
	PACKET_IGNORE_OUTGOING = 23
)

// Kinds of membership (mr_type).
const (
	PACKET_MR_MULTICAST = 0
	PACKET_MR_PROMISC   = 1
	PACKET_MR_ALLMULTI  = 2
	PACKET_MR_UNICAST   = 3
)

// TPACKET_V3 is the highest PACKET_VERSION.
const TPACKET_V3 = 2

// tpStatusUser is tp_status of a packet received (TP_STATUS_USER).
const tpStatusUser = 1

// Lengths of structures in bytes: struct packet_mreq, tpacket_stats_v3 and
// tpacket_auxdata.
const (
	sizeofMreq       = 16
	sizeofMreqHeader = 8
	sizeofStatsV3    = 12
	sizeofAuxdata    = 20
	maxMreqAddrLen   = 32
)

// Options is the table of level SOL_PACKET.
var Options = socket.NewOptionTable(
	socket.Option{Level: socket.SOL_PACKET, Name: PACKET_ADD_MEMBERSHIP, Label: "PACKET_ADD_MEMBERSHIP", Set: addMembership},
	socket.Option{Level: socket.SOL_PACKET, Name: PACKET_DROP_MEMBERSHIP, Label: "PACKET_DROP_MEMBERSHIP", Set: dropMembership},
	socket.Option{Level: socket.SOL_PACKET, Name: PACKET_STATISTICS, Label: "PACKET_STATISTICS", Get: getStatistics},
	flag(PACKET_AUXDATA, "PACKET_AUXDATA", socket.OptionWorks, func(p *sock) *atomic.Bool { return &p.auxdata }),
	origDevOption(),
	versionOption(),
	ignoreOutgoingOption(),
	refused(PACKET_RX_RING, "PACKET_RX_RING", noRings),
	refused(PACKET_COPY_THRESH, "PACKET_COPY_THRESH", noRings),
	refused(PACKET_HDRLEN, "PACKET_HDRLEN", noRings),
	refused(PACKET_RESERVE, "PACKET_RESERVE", noRings),
	refused(PACKET_TX_RING, "PACKET_TX_RING", noRings),
	refused(PACKET_LOSS, "PACKET_LOSS", noRings),
	refused(PACKET_VNET_HDR, "PACKET_VNET_HDR", "packets are whole: offloads are between the stack and its devices"),
	refused(PACKET_TX_TIMESTAMP, "PACKET_TX_TIMESTAMP", "devices take no time stamps"),
	refused(PACKET_TIMESTAMP, "PACKET_TIMESTAMP", "devices take no time stamps"),
	refused(PACKET_FANOUT, "PACKET_FANOUT", "each socket has every packet"),
	refused(PACKET_TX_HAS_OFF, "PACKET_TX_HAS_OFF", noRings),
	refused(PACKET_QDISC_BYPASS, "PACKET_QDISC_BYPASS", "there are no queueing disciplines"),
	refused(PACKET_ROLLOVER_STATS, "PACKET_ROLLOVER_STATS", "each socket has every packet"),
	refused(PACKET_FANOUT_DATA, "PACKET_FANOUT_DATA", "each socket has every packet"),
)

// noRings is why the options of rings are refused.
const noRings = "there is no memory to map: a receive is a function call"

func refused(name int, label, why string) socket.Option {
	return socket.Option{Level: socket.SOL_PACKET, Name: name, Label: label, State: socket.OptionRefused, Why: why}
}

func flag(name int, label string, state socket.OptionState, field func(p *sock) *atomic.Bool) socket.Option {
	set, get := socket.IntOption(
		func(sk *socket.Sock, v int) error { field(of(sk)).Store(v != 0); return nil },
		func(sk *socket.Sock) int { return socket.BoolInt(field(of(sk)).Load()) })
	return socket.Option{Level: socket.SOL_PACKET, Name: name, Label: label, State: state, Set: set, Get: get}
}

func origDevOption() socket.Option {
	o := flag(PACKET_ORIGDEV, "PACKET_ORIGDEV", socket.OptionStored, func(p *sock) *atomic.Bool { return &p.origdev })
	o.Why = "no interface stands on another"
	return o
}

// ignoreOutgoingOption is PACKET_IGNORE_OUTGOING, which takes only 0 and 1.
func ignoreOutgoingOption() socket.Option {
	o := flag(PACKET_IGNORE_OUTGOING, "PACKET_IGNORE_OUTGOING", socket.OptionWorks, func(p *sock) *atomic.Bool { return &p.noOutput })
	set := o.Set
	o.Set = func(sk *socket.Sock, val []byte) error {
		if v, err := socket.OptInt(val); err != nil || v < 0 || v > 1 {
			return errno.EINVAL
		}
		return set(sk, val)
	}
	return o
}

// versionOption is PACKET_VERSION. It tells the layout of rings, which are not
// there, and of PACKET_STATISTICS.
func versionOption() socket.Option {
	set, get := socket.IntOption(
		func(sk *socket.Sock, v int) error {
			if v < 0 || v > TPACKET_V3 {
				return errno.EINVAL
			}
			of(sk).version.Store(int32(v))
			return nil
		},
		func(sk *socket.Sock) int { return int(of(sk).version.Load()) })
	return socket.Option{Level: socket.SOL_PACKET, Name: PACKET_VERSION, Label: "PACKET_VERSION", Set: set, Get: get}
}

// SetSockOpt implements socket.Proto. Another level is ENOPROTOOPT.
func (*proto) SetSockOpt(sk *socket.Sock, level, name int, val []byte) error {
	if level != socket.SOL_PACKET {
		return errno.ENOPROTOOPT
	}
	return Options.Set(sk, name, val)
}

// GetSockOpt implements socket.Proto. Another level is ENOPROTOOPT.
func (*proto) GetSockOpt(sk *socket.Sock, level, name int, val []byte) (int, error) {
	if level != socket.SOL_PACKET {
		return 0, errno.ENOPROTOOPT
	}
	return Options.Get(sk, name, val)
}

// getStatistics reads struct tpacket_stats and begins to count anew.
func getStatistics(sk *socket.Sock, val []byte) (int, error) {
	p := of(sk)
	packets, drops := p.q.statistics()
	b := binary.NativeEndian.AppendUint32(make([]byte, 0, sizeofStatsV3), packets)
	b = binary.NativeEndian.AppendUint32(b, drops)
	if p.version.Load() == TPACKET_V3 {
		b = binary.NativeEndian.AppendUint32(b, 0) // no ring to freeze
	}
	return copy(val, b), nil
}

// putAuxdata stores struct tpacket_auxdata as a control message.
func (p *sock) putAuxdata(m *socket.Msghdr, origlen, snaplen int) {
	var b [sizeofAuxdata]byte
	binary.NativeEndian.PutUint32(b[0:], tpStatusUser)
	binary.NativeEndian.PutUint32(b[4:], uint32(origlen))
	binary.NativeEndian.PutUint32(b[8:], uint32(snaplen))
	if p.Type != socket.SOCK_DGRAM {
		binary.NativeEndian.PutUint16(b[14:], ethHeaderLen) // tp_net
	}
	m.PutCmsg(socket.SOL_PACKET, PACKET_AUXDATA, b[:])
}

// A membership is one that the Sock has joined, so many times.
type membership struct {
	ifindex int32
	kind    uint16
	addr    string
	count   int
}

// parseMreq reads struct packet_mreq, whose address may be longer than the
// structure.
func parseMreq(val []byte) (m membership, err error) {
	if len(val) < sizeofMreq {
		return m, errno.EINVAL
	}
	val = val[:min(len(val), sizeofMreqHeader+maxMreqAddrLen)]
	alen := int(binary.NativeEndian.Uint16(val[6:]))
	if len(val) < sizeofMreqHeader+alen {
		return m, errno.EINVAL
	}
	m.ifindex = int32(binary.NativeEndian.Uint32(val))
	m.kind = binary.NativeEndian.Uint16(val[4:])
	m.addr = string(val[sizeofMreqHeader : sizeofMreqHeader+alen])
	m.count = 1
	return m, nil
}

// addMembership is Linux's packet_mc_add. The errors are EINVAL and ENODEV; EIO
// when the device refuses.
func addMembership(sk *socket.Sock, val []byte) error {
	m, err := parseMreq(val)
	if err != nil {
		return err
	}
	p := of(sk)
	p.Lock()
	defer p.Unlock()
	l := p.links.get(p.Net, m.ifindex)
	switch {
	case l == nil:
		return errno.ENODEV
	case len(m.addr) > len(l.addr):
		return errno.EINVAL
	case (m.kind == PACKET_MR_MULTICAST || m.kind == PACKET_MR_UNICAST) && len(m.addr) != len(l.addr):
		return errno.EINVAL
	}
	for i := range p.members {
		if e := &p.members[i]; e.same(m) {
			e.count++
			return nil
		}
	}
	if err := p.heed(m, 1); err != nil {
		return err
	}
	p.members = append(p.members, m)
	return nil
}

// heed has the interface receive what a membership is for, or no longer when n is -1 (Linux packet_dev_mc). Devices
// are told of one unicast address, their own: others make them promiscuous, as those without IFF_UNICAST_FLT.
func (p *sock) heed(m membership, n int) error {
	index := int(m.ifindex)
	switch m.kind {
	case PACKET_MR_MULTICAST:
		if n > 0 {
			return p.Net.AddMulticast(index, net.HardwareAddr(m.addr))
		}
		return p.Net.RemoveMulticast(index, net.HardwareAddr(m.addr))
	case PACKET_MR_ALLMULTI:
		return p.Net.AddAllMulticast(index, n)
	case PACKET_MR_PROMISC, PACKET_MR_UNICAST:
		return p.Net.AddPromiscuity(index, n)
	}
	return nil
}

func (m membership) same(o membership) bool {
	return m.ifindex == o.ifindex && m.kind == o.kind && m.addr == o.addr
}

// dropMembership is Linux's packet_mc_drop: one that is not there is no error.
func dropMembership(sk *socket.Sock, val []byte) error {
	m, err := parseMreq(val)
	if err != nil {
		return err
	}
	p := of(sk)
	p.Lock()
	defer p.Unlock()
	for i := range p.members {
		e := &p.members[i]
		if !e.same(m) {
			continue
		}
		if e.count--; e.count == 0 {
			p.members = append(p.members[:i], p.members[i+1:]...)
			p.heed(m, -1)
		}
		return nil
	}
	return nil
}

// dropAll is Linux's packet_flush_mclist. Locked.
func (p *sock) dropAll() {
	for _, m := range p.members {
		p.heed(m, -1)
	}
	p.members = nil
}
