package e2e

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/tamanet/tamanet/qemu"
	"github.com/tamanet/tamanet/qemu/impair"
)

// groupPort is where the test appliance listens.
const groupPort = 5000

// TestMulticastFilter puts datagrams to groups on the guest's wire: those to a group that it has joined come to its
// socket; those to a group that it is not in, or has left, are kept from it by the card's filter. Those to groups that
// every host is in, and to the solicited-node group of the guest's own address, come to it.
func TestMulticastFilter(t *testing.T) {
	virtioDevice(t)
	for _, tc := range []struct{ name, group, other, marker, all, own string }{
		{"IPv4", "239.1.2.3", "239.1.2.4", "239.9.9.9", "224.0.0.1", "224.0.0.1"},
		{"IPv6", "ff02::1:2:3", "ff02::1:2:4", "ff02::9:9:9", "ff02::1", "ff02::1:ff12:3456"}, // of 52:54:00:12:34:56
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := bootGroupRig(t)
			marker, group := netip.MustParseAddr(tc.marker), netip.MustParseAddr(tc.group)
			r.group(t, marker, "join")
			const nothing, frames, datagrams = 0, 1, 2
			for _, step := range []struct {
				do   string
				to   string
				want int // what comes
			}{
				{"", tc.group, nothing}, {"join", tc.group, datagrams}, {"", tc.other, nothing}, {"leave", tc.group, nothing},
				{"join", tc.group, datagrams}, {"leave", tc.group, nothing}, {"", tc.all, frames}, {"", tc.own, frames},
			} {
				to := netip.MustParseAddr(step.to)
				r.group(t, group, step.do)
				before, received := r.group(t, to, "").Frames, r.group(t, group, "").Received
				r.flood(t, to, marker)
				want := uint64(0)
				if step.want != nothing {
					want = flood
				}
				if n := r.group(t, to, "").Frames - before; n != want {
					t.Errorf("%q, to %s: the card has received %d frames of %d, want %d", step.do, step.to, n, flood, want)
				}
				if step.want == datagrams {
					r.await(t, "the datagrams", func() bool { return r.group(t, group, "").Received == received+flood })
				} else if n := r.group(t, group, "").Received - received; n != 0 {
					t.Errorf("%q, to %s: the socket has received %d datagrams", step.do, step.to, n)
				}
			}
		})
	}
}

// flood is how many datagrams are sent at once.
const flood = 200

// A groupRig is the test appliance with a way to put frames on its wire, besides user networking.
type groupRig struct {
	vm     *qemu.VM
	wire   impair.End
	marked uint64 // markers sent
}

func bootGroupRig(t *testing.T) *groupRig {
	t.Helper()
	path := filepath.Join(t.TempDir(), "frames")
	vm := boot(t, testApp, qemu.Config{More: []string{
		"-chardev", "socket,id=frames,server=on,wait=off,path=" + path,
		"-object", "filter-redirector,id=frames0,netdev=net0,queue=tx,indev=frames",
	}})
	ctx := Context(t, Patience)
	if err := vm.WaitHTTP(ctx, "http://"+vm.Addr("tcp", 80)+"/clock"); err != nil {
		t.Fatal(err)
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &groupRig{vm: vm, wire: impair.Stream(conn)}
}

// groupReport is what the test appliance tells of a group.
type groupReport struct {
	Received, Frames uint64
	Error            string
}

// group has the guest join or leave a group, or tell of it.
func (r *groupRig) group(t *testing.T, addr netip.Addr, do string) (report groupReport) {
	t.Helper()
	url := fmt.Sprintf("http://%s/group?addr=%v&do=%s", r.vm.Addr("tcp", 80), addr, do)
	if err := getJSON(Context(t, Patience), http.DefaultClient, url, &report); err != nil {
		t.Fatal(err)
	}
	if report.Error != "" {
		t.Fatalf("%s %v: %s", do, addr, report.Error)
	}
	return report
}

// flood sends datagrams to a group, and one to marker behind them, and waits until its frame has been received.
func (r *groupRig) flood(t *testing.T, to, marker netip.Addr) {
	t.Helper()
	for range flood {
		if err := r.wire.Send(groupDatagram(to)); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.wire.Send(groupDatagram(marker)); err != nil {
		t.Fatal(err)
	}
	r.marked++
	r.await(t, "the marker", func() bool { return r.group(t, marker, "").Frames >= r.marked })
}

// await waits for cond.
func (r *groupRig) await(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for ctx := Context(t, Patience); !cond(); {
		select {
		case <-ctx.Done():
			t.Fatalf("still waiting for %s", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// groupDatagram is an Ethernet frame with a datagram to a group, from a station that is not there.
func groupDatagram(to netip.Addr) []byte {
	const text = "to a group"
	dst, size := tcpip.AddrFromSlice(to.AsSlice()), header.UDPMinimumSize+len(text)
	u := header.UDP(append(make([]byte, header.UDPMinimumSize), text...))
	u.Encode(&header.UDPFields{SrcPort: groupPort, DstPort: groupPort, Length: uint16(size)})
	eth := header.EthernetFields{SrcAddr: "\x02\x00\x00\x00\x00\x77"}
	var ip []byte
	if to.Is4() {
		eth.DstAddr, eth.Type = header.EthernetAddressFromMulticastIPv4Address(dst), header.IPv4ProtocolNumber
		h := header.IPv4(make([]byte, header.IPv4MinimumSize))
		h.Encode(&header.IPv4Fields{TotalLength: uint16(len(h) + size), TTL: 1, Protocol: uint8(header.UDPProtocolNumber),
			SrcAddr: tcpip.AddrFrom4([4]byte{10, 0, 2, 77}), DstAddr: dst})
		h.SetChecksum(^h.CalculateChecksum())
		ip = h
	} else {
		eth.DstAddr, eth.Type = header.EthernetAddressFromMulticastIPv6Address(dst), header.IPv6ProtocolNumber
		src := tcpip.AddrFromSlice(netip.MustParseAddr("fe80::77").AsSlice())
		h := header.IPv6(make([]byte, header.IPv6MinimumSize))
		h.Encode(&header.IPv6Fields{PayloadLength: uint16(size), TransportProtocol: header.UDPProtocolNumber, HopLimit: 1, SrcAddr: src, DstAddr: dst})
		sum := header.PseudoHeaderChecksum(header.UDPProtocolNumber, src, dst, uint16(size))
		u.SetChecksum(^u.CalculateChecksum(checksum.Combine(sum, checksum.Checksum([]byte(text), 0))))
		ip = h
	}
	frame := make(header.Ethernet, header.EthernetMinimumSize)
	frame.Encode(&eth)
	return append(append(frame, ip...), u...)
}
