package udp_test

import (
	"errors"
	"net/netip"
	"slices"
	"testing"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/inet"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/socket"
)

// eth0 is the interface's index on a machine of cabled.
const eth0 = 2

// far is an address of a network behind the other machine, which has it itself.
var far = netip.MustParseAddr("203.0.113.3")

// TestKeptWaysEnd: a datagram without a peer goes by what holds when it is sent, whatever was looked up for the one
// before (Linux: dst_check and rt_genid; errors of ip_route_output_flow).
func TestKeptWaysEnd(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(t *testing.T, a *machine) error
		near   error // of a datagram to the other machine, then
		far    error // and to the network behind
		undo   func(t *testing.T, a *machine) error
	}{
		{"address removed", func(t *testing.T, a *machine) error {
			err := a.st.RemoveAddress(eth0, netip.PrefixFrom(a.four, 24))
			if a.st.InterfaceOf(a.four) != 0 {
				t.Error("the address is still there, for a way that is kept")
			}
			return err
		}, errno.ENETUNREACH, errno.ENETUNREACH, func(t *testing.T, a *machine) error {
			return a.st.AddAddress(eth0, netip.PrefixFrom(a.four, 24))
		}},
		{"route removed", func(t *testing.T, a *machine) error {
			return a.st.RemoveRoute(defaultRoute)
		}, nil, errno.ENETUNREACH, func(t *testing.T, a *machine) error {
			return a.st.AddRoute(defaultRoute)
		}},
		{"interface down", func(t *testing.T, a *machine) error {
			return a.st.SetUp(eth0, false)
		}, errno.ENETUNREACH, errno.ENETUNREACH, func(t *testing.T, a *machine) error {
			return a.st.SetUp(eth0, true)
		}},
		{"neighbour gone", func(t *testing.T, a *machine) error {
			return a.st.RemoveNeighbor(eth0, defaultRoute.Gateway)
		}, nil, nil, func(t *testing.T, a *machine) error { return nil }},
		{"turned into a broadcast address", func(t *testing.T, a *machine) error {
			return a.st.AddAddress(eth0, netip.MustParsePrefix("203.0.113.1/30"))
		}, nil, errno.EACCES, func(t *testing.T, a *machine) error {
			return a.st.RemoveAddress(eth0, netip.MustParsePrefix("203.0.113.1/30"))
		}},
		{"turned into an own address", func(t *testing.T, a *machine) error {
			return a.st.AddAddress(eth0, netip.PrefixFrom(far, 32))
		}, nil, notSent, func(t *testing.T, a *machine) error {
			return a.st.RemoveAddress(eth0, netip.PrefixFrom(far, 32))
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, b := cabled(t)
			if err := errors.Join(a.st.AddRoute(defaultRoute), b.st.AddAddress(eth0, netip.PrefixFrom(far, 32))); err != nil {
				t.Fatal(err)
			}
			from, to := a.open(t, socket.AF_INET), b.open(t, socket.AF_INET)
			if err := b.Bind(to, socket.SockaddrInet4([4]byte{}, 9)); err != nil {
				t.Fatal(err)
			}
			arrives := func(addr netip.Addr, want error) {
				t.Helper()
				// The second goes by what was kept for the first.
				for _, data := range []string{"one", "two"} {
					_, err := a.SendTo(from, []byte(data), 0, socket.SockaddrFrom(netip.AddrPortFrom(addr, 9)))
					switch {
					case want == notSent && err == nil:
						if n, _, err := b.RecvFrom(to, make([]byte, 10), socket.MSG_DONTWAIT); err != errno.EAGAIN {
							t.Fatalf("%d bytes, %v came from a datagram to %v, which is the sender's own", n, err, addr)
						}
					case !errors.Is(err, want):
						t.Fatalf("%q to %v: %v, want %v", data, addr, err, want)
					case err == nil:
						b.receives(t, to, []byte(data))
					}
				}
			}
			for range 2 {
				arrives(b.four, nil)
				arrives(far, nil)
				if err := tc.change(t, a); err != nil {
					t.Fatal(err)
				}
				arrives(b.four, tc.near)
				arrives(far, tc.far)
				if err := tc.undo(t, a); err != nil {
					t.Fatal(err)
				}
			}
			arrives(b.four, nil)
			arrives(far, nil)
		})
	}
}

// notSent is no error, but the datagram does not leave.
var notSent = errors.New("not sent")

var defaultRoute = netdev.Route{
	Dst: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr("192.0.2.2"), Interface: "eth0",
}

// TestKeptWaysKnowTheirSockets: a way that one socket has found is not another's whose address or interface differs.
func TestKeptWaysKnowTheirSockets(t *testing.T) {
	a, b := cabled(t)
	second := netip.MustParseAddr("192.0.2.100")
	if err := a.st.AddAddress(eth0, netip.PrefixFrom(second, 24)); err != nil {
		t.Fatal(err)
	}
	to, name := b.bound(t, socket.AF_INET)
	any, first, other, lo := a.open(t, socket.AF_INET), a.open(t, socket.AF_INET), a.open(t, socket.AF_INET), a.open(t, socket.AF_INET)
	for fd, addr := range map[int]netip.Addr{first: a.four, other: second} {
		if err := a.Bind(fd, socket.SockaddrFrom(netip.AddrPortFrom(addr, 0))); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.SetSockOpt(lo, socket.SOL_SOCKET, socket.SO_BINDTODEVICE, []byte("lo")); err != nil {
		t.Fatal(err)
	}
	var sources []netip.Addr
	for range 2 {
		for _, fd := range []int{any, first, other, any} {
			if _, err := a.SendTo(fd, []byte("x"), 0, name); err != nil {
				t.Fatal(err)
			}
			if !b.await(to) {
				t.Fatal("nothing came")
			}
			_, from, err := b.RecvFrom(to, make([]byte, 10), 0)
			if err != nil {
				t.Fatal(err)
			}
			sources = append(sources, from.IP())
		}
		if _, err := a.SendTo(lo, []byte("x"), 0, name); err == nil {
			if n, _, err := b.RecvFrom(to, make([]byte, 10), socket.MSG_DONTWAIT); err != errno.EAGAIN {
				t.Errorf("%d bytes, %v came by the interface that the socket is not bound to", n, err)
			}
		}
	}
	if want := []netip.Addr{a.four, a.four, second, a.four, a.four, a.four, second, a.four}; !slices.Equal(sources, want) {
		t.Errorf("datagrams came from %v, want %v", sources, want)
	}
}

// TestKeptWaysKnowTheMTU: what is too long follows the interface. This link counts the Ethernet header in its MTU.
func TestKeptWaysKnowTheMTU(t *testing.T) {
	a, b := cabled(t)
	to, name := b.bound(t, socket.AF_INET)
	from := a.open(t, socket.AF_INET)
	a.set(t, from, socket.SOL_IP, inet.IP_MTU_DISCOVER, 2) // IP_PMTUDISC_DO
	data := make([]byte, 1000)
	for _, step := range []struct {
		mtu  int
		want error
	}{{1514, nil}, {1042, nil}, {1041, errno.EMSGSIZE}, {1514, nil}} {
		if err := a.st.SetMTU(eth0, step.mtu); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := a.SendTo(from, data, 0, name); !errors.Is(err, step.want) {
				t.Fatalf("MTU %d: %v, want %v", step.mtu, err, step.want)
			} else if err == nil {
				b.receives(t, to, data)
			}
		}
	}
}
