// Package netdev is a machine's network below its sockets: the interfaces,
// their addresses, the routes, and the gVisor stack that carries IP over them.
//
// A [Stack] is what Linux calls a network namespace (struct net). A machine
// has one, its [Default]; tests make several and join them by a cable.
//
// All methods may be called from several goroutines at once.
package netdev

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/link/loopback"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/raw"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
)

// Config describes a Stack. The zero value works.
type Config struct {
	// RAM is the machine's memory in bytes, by which socket buffers are
	// bounded; see [Memory]. Zero means plenty, as on a host.
	RAM uint64

	// CongestionControl is TCP's, "cubic" or "reno"; empty means cubic.
	CongestionControl string
}

// A Stack owns a gVisor stack with IPv4, IPv6, ARP, ICMP, TCP, UDP and raw
// IP, and the interfaces attached to it. The loopback interface lo is always
// there, with index 1, 127.0.0.1/8 and ::1/128.
type Stack struct {
	// Sysctl holds the settings that may be changed at run time.
	Sysctl Sysctl

	generic sync.Map // per-network data of families, by their key
	devices sync.Map // of *device, by tcpip.NICID

	generation atomic.Uint64
	watchers   atomic.Int32

	ip     *stack.Stack
	memory Memory

	segments    queuer
	sendLimited atomic.Bool
	segmentHook atomic.Pointer[SegmentHook]
	foreignMu   sync.Mutex

	mu     sync.Mutex
	closed bool
	nextID tcpip.NICID
}

// LoopbackIndex is the interface index of lo, Linux's LOOPBACK_IFINDEX.
const LoopbackIndex = 1

// Linux's net.ipv4.ip_local_port_range.
const (
	ephemeralFirst = 32768
	ephemeralLast  = 60999
)

// New builds a stack with its loopback interface up. The caller closes it
// with [Stack.Close]; a machine never does.
func New(cfg Config) (*Stack, error) {
	s := &Stack{memory: MemoryFor(cfg.RAM), nextID: LoopbackIndex}
	s.ip = stack.New(stack.Options{
		NetworkProtocols: []stack.NetworkProtocolFactory{
			s.newIPv4,
			ipv6.NewProtocolWithOptions(ipv6.Options{
				AutoGenLinkLocal: true,
				NDPDisp:          ndp{s},
			}),
			arp.NewProtocol,
		},
		TransportProtocols: append(rawProtocols(),
			s.newTCP, udp.NewProtocol, icmp.NewProtocol4, icmp.NewProtocol6),
		RawFactory:               raw.EndpointFactory{},
		HandleLocal:              true,
		AllowPacketEndpointWrite: true,
	})
	s.Sysctl.init(s.memory)
	if err := s.tune(cfg); err != nil {
		s.ip.Destroy()
		return nil, err
	}
	_, err := s.AddInterface(InterfaceConfig{
		Name: "lo",
		Link: loopback.New(),
		Addresses: []netip.Prefix{
			netip.MustParsePrefix("127.0.0.1/8"),
			netip.MustParsePrefix("::1/128"),
		},
	})
	if err != nil {
		s.ip.Destroy()
		return nil, fmt.Errorf("netdev: loopback: %w", err)
	}
	return s, nil
}

// tune sets what gVisor's defaults leave unlike Linux, or unfit for a small
// machine.
func (s *Stack) tune(cfg Config) error {
	cc := tcpip.CongestionControlOption(cfg.CongestionControl)
	if cc == "" {
		// Linux's default too. gVisor starts with reno.
		cc = "cubic"
	}
	// RACK (RFC 8985), as on Linux, with a least timeout of 50 ms. Over a cable
	// without delay, 4 MiB with 1 % loss took 0.3 s, and 6 s with SACK recovery
	// alone; with a round trip of 10 ms 3.6 and 6.3 s. But once a burst has led
	// to a timeout, gVisor's RACK sends two segments a timeout: with gVisor's
	// least of 200 ms, 16 MiB that lost 200 segments in a row took up to 18 s
	// and with 1,000 more than 20, against 0.5 and 1.1 s with SACK alone; with
	// 50 ms up to 4.8 and 8.4 s. The longer the round trip, the less that helps:
	// with 40 ms it was 10 s. An acknowledgement that is delayed does not run
	// into the least: RACK probes before the timeout is armed.
	//
	// A guest in QEMU, 4 MiB in and out in seconds, medians of three seeds (tamanet bench --sweep, on a busy machine: a
	// seed's may be twice another's); the wires have their delay each way:
	//
	//	                 loss=1%      delay=10ms   both        reorder=5%,delay=10ms  bursts of 50
	//	Linux guest      0.37  0.94   0.56  0.86   0.59  6.3   2.2   1.0              0.40  >60
	//	as it is         0.11  0.49   0.35  0.31   0.58  6.8   1.9   2.1              0.52  0.23
	//	reno             0.23  1.2    0.83  0.50   0.63  6.0   1.1   1.1              0.12  0.22
	//	RACK off         0.20  0.41   0.45  0.47   1.0   7.5   1.4   1.1              0.37  0.32
	//	least RTO 200ms  0.17  0.45   0.59  0.38   0.62  7.0   1.4   1.7              0.17  0.47
	//	without SACK     2.4   0.39   0.49  0.49   2.8   5.1   0.31  0.36             0.40  0.21
	//	GRO off          0.27  0.33   0.51  1.8    0.53  6.1   0.82  3.3              0.36  >60
	//
	// (A burst that meets a connection's first frames takes a minute of timeouts, on Linux too.) So cubic, SACK, RACK and
	// 50 ms stay, and GRO, see package link. Over a wire that only reorders, all recoveries are for nothing; before net/tcp undid
	// them it was 8.9 s out, with reno 6.2, beside Linux's 1.7. Without SACK it is less still, since a frame that overtakes others
	// makes one duplicate acknowledgement, and three in a row begin a recovery. What is left: gVisor's cubic has the window grow from
	// seven tenths of what it was at the last recovery, undone or not, and stand still until it is beyond that; and what
	// one acknowledgement adds it rounds down to whole segments. Reno does neither: with 0.5 % lost besides, 2.1 against
	// 4.5 s. But 32 MiB over a round trip of 40 ms with 0.01 % lost took it 2.7 s, and cubic 1.6. (The last two are of a stack on
	// the host, with Linux at the other end of a wire of package impair.)
	//
	// Of the bits of tcp_recovery gVisor knows the first alone. Without SACK it leaves RACK off by itself
	// (Endpoint.maybeEnableSACKPermitted): out, with 1 % loss, that and 10 ms, and reordering, 0.91, 5.3 and 1.8 s with RACK
	// and 0.97, 5.4 and 1.9 without.
	//
	// With RACK off, round trips of 20 and 100 ms: without auto-tuning of the receive buffer 0.61 and 3.0 in, with it
	// 0.39 and 2.6; with buffers of at most 128 KiB 3.2 and 9.5, from 1 MiB on 0.44 and 1.2.
	recovery := tcpip.TCPRACKLossDetection
	minRTO := tcpip.TCPMinRTOOption(50 * time.Millisecond)
	delay := tcpip.TCPDelayEnabled(true) // Nagle (RFC 896) until TCP_NODELAY
	for _, opt := range []tcpip.SettableTransportProtocolOption{&cc, &recovery, &minRTO, &delay} {
		if err := s.ip.SetTransportProtocolOption(tcp.ProtocolNumber, opt); err != nil {
			return fmt.Errorf("netdev: TCP option %T = %v: %s", opt, opt, err)
		}
	}
	if err := s.ip.SetPortRange(ephemeralFirst, ephemeralLast); err != nil {
		return fmt.Errorf("netdev: ephemeral ports: %s", err)
	}
	return s.memory.apply(s.ip)
}

// IP returns the gVisor stack. It belongs to s: do not close it or create
// NICs on it past [Stack.AddInterface].
func (s *Stack) IP() *stack.Stack { return s.ip }

// Memory returns the bounds on socket buffers that the stack was built with.
func (s *Stack) Memory() Memory { return s.memory }

// Close ends every endpoint and interface and waits until their goroutines
// are gone. Sockets that are still open fail from here on. Closing twice is
// harmless.
func (s *Stack) Close() {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return
	}
	defaultStack.CompareAndSwap(s, nil)
	s.ip.Destroy()
}

var defaultStack atomic.Pointer[Stack]

// SetDefault makes s the stack of [Default], [Interfaces] and [Routes].
func SetDefault(s *Stack) { defaultStack.Store(s) }

// Default returns the machine's stack, or nil before [SetDefault].
func Default() *Stack { return defaultStack.Load() }

// Interfaces lists the default stack's interfaces; see [Stack.Interfaces].
func Interfaces() []Interface {
	if s := Default(); s != nil {
		return s.Interfaces()
	}
	return nil
}

// Routes lists the default stack's routes; see [Stack.Routes].
func Routes() []Route {
	if s := Default(); s != nil {
		return s.Routes()
	}
	return nil
}
