package packet

import (
	"sync"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/socket"
)

// Register registers AF_PACKET (Linux packet_init).
func Register() error {
	return socket.Register(&socket.Family{Number: socket.AF_PACKET, Name: "AF_PACKET", Create: create, Protos: protos})
}

func protos() []socket.Proto { return []socket.Proto{Prot} }

// Unregister removes the family. EBUSY while sockets of it are open.
func Unregister() error { return socket.Unregister(socket.AF_PACKET) }

// create is Linux's packet_create. The errors are EPERM without CAP_NET_RAW
// and ESOCKTNOSUPPORT for a type that is not there.
func create(s *socket.Socket, protocol int, kern bool) error {
	if !kern && !s.Task.Capable(socket.CAP_NET_RAW) {
		return errno.EPERM
	}
	switch s.Type {
	case socket.SOCK_RAW, socket.SOCK_DGRAM:
		s.Ops = Ops
	case socket.SOCK_PACKET:
		s.Ops = OpsSpkt
	default:
		return errno.ESOCKTNOSUPPORT
	}
	p := &sock{links: linksOf(s.Task.Net)}
	p.Sock.Impl = p
	socket.InitSock(&p.Sock, s, 0, Prot)
	p.num = ntohs(protocol)
	if p.num != 0 {
		p.hook()
	}
	s.Sk = &p.Sock
	return nil
}

// A sock is AF_PACKET's part of a Sock: Linux's struct packet_sock.
type sock struct {
	socket.Sock
	links *links

	// Guarded by Lock.
	num      uint16 // ETH_P_*; 0 receives nothing
	ifindex  int32  // 0 is every interface
	hooked   bool
	tap      *tap
	device   string // the name that SOCK_PACKET was bound to
	members  []membership
	version  atomic.Int32 // PACKET_VERSION
	auxdata  atomic.Bool
	origdev  atomic.Bool
	noOutput atomic.Bool // PACKET_IGNORE_OUTGOING

	q queue

	// The last address returned, as most are alike. Guarded by nameMu.
	nameMu sync.Mutex
	lastLL SockaddrLL
	last   socket.Sockaddr
}

func of(sk *socket.Sock) *sock { return sk.Impl.(*sock) }

// hook begins to receive (register_prot_hook). Locked, or not yet shared.
func (p *sock) hook() error {
	// The tap must not ask the stack: it is called with a lock held that
	// comes after the stack's.
	for _, i := range p.Net.Interfaces() {
		p.links.get(p.Net, int32(i.Index))
	}
	p.tap = &tap{p: p}
	terr := p.Net.IP().RegisterPacketEndpoint(tcpip.NICID(p.ifindex), tcpip.NetworkProtocolNumber(p.num), p.tap)
	if terr != nil {
		return errno.FromTCPIP(terr)
	}
	p.hooked = true
	if p.watches() {
		p.Net.Watch()
	}
	return nil
}

// watches reports whether packets within the machine are seen.
func (p *sock) watches() bool { return p.ifindex == 0 || p.ifindex == netdev.LoopbackIndex }

// unhook ends it; nothing is received once it returns (unregister_prot_hook).
// Locked.
func (p *sock) unhook() {
	if p.hooked {
		p.Net.IP().UnregisterPacketEndpoint(tcpip.NICID(p.ifindex), tcpip.NetworkProtocolNumber(p.num), p.tap)
		if p.watches() {
			p.Net.Unwatch()
		}
	}
	p.hooked = false
}

// bind is Linux's packet_do_bind: to an interface, 0 for all, and a protocol.
// ENODEV for an interface that is not there.
func (p *sock) bind(ifindex int32, protocol uint16) error {
	p.Lock()
	defer p.Unlock()
	if ifindex != 0 && p.links.get(p.Net, ifindex) == nil {
		return errno.ENODEV
	}
	if p.hooked && p.num == protocol && p.ifindex == ifindex {
		return nil
	}
	p.unhook()
	if protocol != 0 {
		p.num = protocol
	}
	p.ifindex = ifindex
	if protocol == 0 {
		return nil // bound, and not receiving
	}
	return p.hook()
}

// proto is AF_PACKET's: Linux's packet_proto. There it is only a name; the
// work is in the ops, here in part with the protocol.
type proto struct{}

// Prot is Linux's packet_proto.
var Prot socket.Proto = &proto{}

var (
	_ socket.Ioctler     = (*proto)(nil)
	_ socket.Queuer      = (*proto)(nil)
	_ socket.BufferSizer = (*proto)(nil)
	_ socket.Filterer    = (*proto)(nil)
)

// Name implements socket.Proto.
func (*proto) Name() string { return "PACKET" }

// Init implements socket.Proto.
func (*proto) Init(*socket.Sock) error { return nil }

// Close is Linux's packet_release.
func (*proto) Close(sk *socket.Sock, _ time.Duration) {
	p := of(sk)
	p.Lock()
	p.unhook()
	p.dropAll()
	p.Unlock()
	sk.AddShutdown(socket.SHUTDOWN_MASK)
	p.q.purge()
}

// GetPort is Linux's packet_bind. EINVAL for a short address or another
// family; ENODEV.
func (*proto) GetPort(sk *socket.Sock, addr socket.Sockaddr) error {
	if addr.Len < SizeofSockaddrLL || addr.Family != socket.AF_PACKET {
		return errno.EINVAL
	}
	a, err := ParseSockaddrLL(addr)
	if err != nil && a.Ifindex == 0 && a.Protocol == 0 {
		return err
	}
	return of(sk).bind(a.Ifindex, a.Protocol)
}

// Connect implements socket.Proto: EOPNOTSUPP, as there are no peers.
func (*proto) Connect(*socket.Sock, socket.Sockaddr) error { return errno.EOPNOTSUPP }

// Disconnect implements socket.Proto.
func (*proto) Disconnect(*socket.Sock) error { return errno.EOPNOTSUPP }

// Shutdown implements socket.Proto.
func (*proto) Shutdown(*socket.Sock, int) {}

// State implements socket.Proto.
func (*proto) State(*socket.Sock) socket.State { return socket.TCP_CLOSE }

// SockError implements socket.Proto.
func (*proto) SockError(sk *socket.Sock) error { return sk.TakeErr() }

// Poll is Linux's packet_poll.
func (*proto) Poll(sk *socket.Sock) socket.EventMask {
	mask := waiter.WritableEvents | socket.POLLWRBAND
	if of(sk).q.peek() {
		mask |= waiter.ReadableEvents
	}
	if sk.HasErr() {
		mask |= socket.POLLERR
	}
	return mask
}

// GetName is Linux's packet_getname and packet_getname_spkt: what the Sock is
// bound to. There is no peer: EOPNOTSUPP.
func (*proto) GetName(sk *socket.Sock, which socket.NameOf) (socket.Sockaddr, error) {
	if which != socket.LocalName {
		return socket.Sockaddr{}, errno.EOPNOTSUPP
	}
	p := of(sk)
	p.Lock()
	defer p.Unlock()
	if sk.Type == socket.SOCK_PACKET {
		a := sockaddrPkt(socket.AF_PACKET, p.device, 0)
		a.Len, a.Data = sizeofSockaddr, a.Data[:sizeofSockaddr-sizeofFamily]
		return a, nil
	}
	a := SockaddrLL{Protocol: p.num, Ifindex: p.ifindex}
	if l := p.links.get(p.Net, p.ifindex); l != nil {
		a.Hatype, a.Halen = l.hatype, uint8(len(l.addr))
		copy(a.Addr[:], l.addr)
	}
	name := a.Sockaddr()
	name.Len = sizeofLLHeader + uint16(a.Halen)
	name.Data = name.Data[:name.Len-sizeofFamily]
	return name, nil
}

// Queued implements socket.Queuer: the next packet's length.
func (*proto) Queued(sk *socket.Sock) (receive, send int) { return of(sk).q.next(), 0 }

// Ioctl is Linux's packet_ioctl: FIONREAD tells the next packet's length.
// Nothing waits to be sent here.
func (*proto) Ioctl(sk *socket.Sock, cmd uint, arg any) error {
	if cmd != socket.FIONREAD && cmd != socket.SIOCOUTQ {
		return errno.ENOTTY
	}
	n, ok := arg.(*int)
	if !ok {
		return errno.EFAULT
	}
	*n = 0
	if cmd == socket.FIONREAD {
		*n = of(sk).q.next()
	}
	return nil
}

// BufferSizes implements socket.BufferSizer.
func (*proto) BufferSizes(sk *socket.Sock) (receive, send int) {
	n := sk.Net.Memory().Datagram.Default
	return n, n
}

// Filters implements socket.Filterer.
func (*proto) Filters(*socket.Sock) bool { return true }

// A link is what addresses tell of an interface.
type link struct {
	hatype uint16
	addr   string // the hardware address
	header int    // bytes in front of a packet, as SOCK_RAW has it
	lo     bool
}

// links remembers the interfaces of a network by their index; what they tell
// does not change.
type links struct {
	m sync.Map // of *link, by int32
}

type linksKey struct{}

func linksOf(net *netdev.Stack) *links {
	return net.Generic(linksKey{}, func() any { return &links{} }).(*links)
}

// known returns an interface that was asked for before, or nil.
func (l *links) known(ifindex int32) *link {
	v, _ := l.m.Load(ifindex)
	k, _ := v.(*link)
	return k
}

// get returns an interface, or nil when there is none.
func (l *links) get(net *netdev.Stack, ifindex int32) *link {
	if k := l.known(ifindex); k != nil {
		return k
	}
	if ifindex <= 0 {
		return nil
	}
	info, ok := net.IP().SingleNICInfo(tcpip.NICID(ifindex))
	if !ok {
		return nil
	}
	k := &link{hatype: ARPHRD_ETHER, addr: string(info.LinkAddress), header: ethHeaderLen}
	switch {
	case info.Flags.Loopback:
		// Linux's lo has an Ethernet header with addresses of zeros.
		k.hatype, k.addr, k.lo = ARPHRD_LOOPBACK, string(make([]byte, ethAddrLen)), true
	case info.LinkAddress == "":
		k.hatype, k.header = ARPHRD_NONE, 0
	}
	l.m.Store(ifindex, k)
	return k
}

const (
	ethHeaderLen = 14
	ethAddrLen   = 6
)
