package link_test

import (
	"errors"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/net/link"
)

func TestCloseReleasesTheQueue(t *testing.T) {
	d := newDevice()
	e := newEndpoint(t, d, link.Options{})
	d.room = 1
	action := 0
	e.SetOnCloseAction(func() { action++ })
	if _, err := write(e, "a", "b", "c"); err != nil {
		t.Fatal(err)
	}
	e.Close()
	e.Close()
	if s := e.Stats(); s.TxClosed != 2 || !d.closed || action != 1 {
		t.Errorf("counters are %+v, device closed %v, action ran %d times", s, d.closed, action)
	}
	if n, err := write(e, "d"); n != 0 || !is[*tcpip.ErrClosedForSend](err) {
		t.Errorf("WritePackets after Close = %d, %v", n, err)
	}
}

func TestProperties(t *testing.T) {
	d := newDevice()
	var links []bool
	e := newEndpoint(t, d, link.Options{OnLink: func(l nic.LinkState) { links = append(links, l.Up) }})
	if e.MTU() != 1500 || e.LinkAddress() != ourMAC || e.MaxHeaderLength() != 14 ||
		e.Capabilities() != stack.CapabilityResolutionRequired || e.ARPHardwareType() != header.ARPHardwareEther || !e.Link().Up {
		t.Errorf("MTU %d, address %v, capabilities %v", e.MTU(), e.LinkAddress(), e.Capabilities())
	}
	for _, tc := range []struct{ set, want uint32 }{{1400, 1400}, {9000, 1500}, {1, 68}, {0xffffffff, 1500}} {
		if e.SetMTU(tc.set); e.MTU() != tc.want {
			t.Errorf("SetMTU(%d) gives %d, want %d", tc.set, e.MTU(), tc.want)
		}
	}
	e.SetLinkAddress(otherMAC)
	up := &dispatcher{}
	e.Attach(up)
	d.receive(ethernet(otherMAC, ourMAC, protocol, "x"), 0)
	if len(up.network) != 1 || e.LinkAddress() != otherMAC {
		t.Errorf("a frame for the new address %v was not delivered", e.LinkAddress())
	}
	d.h.LinkChange(nic.LinkState{Up: false})
	if len(links) != 1 || links[0] {
		t.Errorf("OnLink was called with %v", links)
	}
}

func TestNewClosesADeviceThatDoesNotStart(t *testing.T) {
	d := newDevice()
	d.startErr = nic.ErrFailed
	if _, err := link.New(d, link.Options{}); !errors.Is(err, nic.ErrFailed) || !d.closed {
		t.Errorf("New = %v, device closed %v", err, d.closed)
	}
}
