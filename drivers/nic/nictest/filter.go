package nictest

import (
	"bytes"
	"errors"
	"testing"

	"github.com/tamanet/tamanet/drivers/nic"
)

// Addresses that no Device has by itself.
var (
	group, otherGroup = nic.MAC{0x33, 0x33, 0, 0, 0, 1}, nic.MAC{1, 0, 0x5e, 0, 0, 0xfb}
	station           = nic.MAC{2, 0, 0, 0, 0, 0x77}
)

// to returns a frame for dst, with a VLAN tag when vlan is not 0.
func to(dst nic.MAC, vlan uint16, tag int) []byte {
	f := frame(100, tag)
	copy(f, dst[:])
	if vlan != 0 {
		copy(f[12:], []byte{0x81, 0, byte(vlan >> 8), byte(vlan)})
	}
	return f
}

// testFilter has a Device asked for frames by each of the filters that it has: those must come up, in every state. What
// else comes is not looked at, since hardware may not tell it apart.
func testFilter(t *testing.T, open Open) {
	r := start(t, open)
	sent := 0
	arrives := func(what string, dst nic.MAC, vlan uint16) {
		t.Helper()
		f := to(dst, vlan, sent)
		sent++
		r.Send(f)
		r.wait(t, what, func() bool {
			for _, got := range r.received {
				if bytes.Equal(got, f) {
					return true
				}
			}
			return false
		})
	}
	set := func(err error) (ok bool) {
		t.Helper()
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			t.Fatal(err)
		}
		return err == nil
	}
	broadcast := nic.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

	arrives("a frame for a group, of all", group, 0)
	if m, ok := r.Device.(nic.Multicast); ok {
		set(m.SetMulticast([]nic.MAC{group, otherGroup}))
		arrives("a frame for a group that was asked for", group, 0)
		arrives("a frame for another one", otherGroup, 0)
		set(m.SetMulticast([]nic.MAC{}))
		arrives("a broadcast, without groups", broadcast, 0)
		arrives("a frame for the station, without groups", r.Device.Info().MAC, 0)
		many := []nic.MAC{group}
		for i := range 1000 {
			many = append(many, nic.MAC{0x33, 0x33, 1, 0, byte(i >> 8), byte(i)})
		}
		set(m.SetMulticast(many))
		arrives("a frame for the first of many groups", group, 0)
		arrives("a frame for the last", many[len(many)-1], 0)
		set(m.SetMulticast(nil))
		arrives("a frame for a group, of all again", otherGroup, 0)
	}
	if v, ok := r.Device.(nic.VLANFilter); ok {
		set(v.SetVLANs([]uint16{5, 4094}))
		arrives("a frame of a VLAN", broadcast, 5)
		arrives("a frame of another one", broadcast, 4094)
		set(v.SetVLANs(nil))
		arrives("a frame without a tag", broadcast, 0)
	}
	if m, ok := r.Device.(nic.MACSetter); ok && set(m.SetMAC(station)) {
		arrives("a frame for the address that was set", station, 0)
		set(m.SetMAC(r.Device.Info().MAC))
		arrives("a frame for the device's own address", r.Device.Info().MAC, 0)
	}
	if p, ok := r.Device.(nic.Promiscuous); ok {
		set(p.SetPromiscuous(true))
		arrives("a frame for another station", station, 0)
		set(p.SetPromiscuous(false))
		arrives("a broadcast", broadcast, 0)
	}
}
