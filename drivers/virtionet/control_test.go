package virtionet_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/drivers/virtio"
	"github.com/tamanet/tamanet/drivers/virtionet"
	"github.com/tamanet/tamanet/drivers/virtionet/virtionettest"
)

// to is a broadcast-sized frame for an address, in a VLAN when vlan is not 0.
func to(dst nic.MAC, vlan uint16) []byte {
	b := frame("x")
	copy(b, dst[:])
	if vlan != 0 {
		copy(b[12:], []byte{0x81, 0, byte(vlan >> 8), byte(vlan)})
	}
	return b
}

// comesUp has the wire deliver a frame, and one behind it that is for everybody, and says whether the
// first of them came up.
func (r *rig) comesUp(t *testing.T, f []byte) bool {
	t.Helper()
	before := 0
	r.update(func() { before = len(r.frames) })
	broadcast := to(nic.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 0)
	copy(broadcast[20:], "last")
	for _, b := range [][]byte{f, broadcast} {
		r.spin(t, "a live device", func() bool { return r.DeliverWait(b) })
	}
	r.wait(t, "the last frame", func() bool {
		return len(r.frames) > before && string(r.frames[len(r.frames)-1][20:24]) == "last"
	})
	return len(r.frames) == before+2
}

// newFilterRig is a rig over a device that filters.
func newFilterRig(t *testing.T, offered virtio.Features) *rig {
	t.Helper()
	r := newRigOffering(t, 16, offered, 0)
	r.Filtering = true
	return r
}

var (
	other  = nic.MAC{2, 0, 0, 0, 0, 2}
	groupA = nic.MAC{1, 0, 0x5e, 0, 0, 1}
	groupB = nic.MAC{0x33, 0x33, 0, 0, 0, 2}
)

// TestFilter changes the filter step by step, and looks which frames come up; and again after the device was
// reset, which forgets everything.
func TestFilter(t *testing.T) {
	var many []nic.MAC
	for i := range 65 {
		many = append(many, nic.MAC{1, 0, 0x5e, 1, 1, byte(i)})
	}
	all := []string{"self", "other", "groupA", "groupB", "vlan 5", "vlan 6"}
	for _, tc := range []struct {
		name string
		do   func(d *virtionet.Device) error
		want []string
	}{
		{"as started", func(d *virtionet.Device) error { return nil }, []string{"self", "groupA", "groupB"}},
		{"promiscuous", func(d *virtionet.Device) error { return d.SetPromiscuous(true) }, all},
		{"and no more", func(d *virtionet.Device) error { return errors.Join(d.SetPromiscuous(true), d.SetPromiscuous(false)) }, []string{"self", "groupA", "groupB"}},
		{"one group", func(d *virtionet.Device) error { return d.SetMulticast([]nic.MAC{groupA}) }, []string{"self", "groupA"}},
		{"no group", func(d *virtionet.Device) error { return d.SetMulticast([]nic.MAC{}) }, []string{"self"}},
		{"more groups than fit", func(d *virtionet.Device) error { return d.SetMulticast(many) }, []string{"self", "groupA", "groupB"}},
		{"two groups", func(d *virtionet.Device) error { return d.SetMulticast([]nic.MAC{groupA, groupB}) }, []string{"self", "groupA", "groupB"}},
		{"another address", func(d *virtionet.Device) error { return d.SetMAC(other) }, []string{"other", "groupA", "groupB"}},
		{"all groups", func(d *virtionet.Device) error {
			return errors.Join(d.SetMulticast([]nic.MAC{groupA}), d.SetMulticast(nil))
		}, []string{"self", "groupA", "groupB"}},
		{"the address of before", func(d *virtionet.Device) error { return errors.Join(d.SetMAC(other), d.SetMAC(testMAC)) }, []string{"self", "groupA", "groupB"}},
		{"a VLAN", func(d *virtionet.Device) error { return d.SetVLANs([]uint16{5}) }, []string{"self", "groupA", "groupB", "vlan 5"}},
		{"another VLAN", func(d *virtionet.Device) error {
			return errors.Join(d.SetVLANs([]uint16{5, 7}), d.SetVLANs([]uint16{6, 7, 6}))
		}, []string{"self", "groupA", "groupB", "vlan 6"}},
	} {
		for _, features := range []struct {
			name string
			f    virtio.Features
		}{{"all", every}, {"without ctrl_mac_addr", every &^ virtionet.FeatureCtrlMACAddr}, {"split ring", every &^ virtio.FeatureRingPacked}} {
			t.Run(features.name+"/"+tc.name, func(t *testing.T) {
				want := tc.want
				if tc.name == "another address" && !features.f.Has(virtionet.FeatureCtrlMACAddr) {
					// The table adds an address; the device's own remains one.
					want = append([]string{"self"}, want...)
				}
				filterStep(t, newFilterRig(t, features.f), tc.do, want)
			})
		}
	}
}

func filterStep(t *testing.T, r *rig, do func(*virtionet.Device) error, want []string) {
	t.Helper()
	frames := map[string][]byte{
		"self": to(testMAC, 0), "other": to(other, 0), "groupA": to(groupA, 0), "groupB": to(groupB, 0),
		"vlan 5": to(testMAC, 5), "vlan 6": to(testMAC, 6),
	}
	check := func(when string) {
		t.Helper()
		for name, f := range frames {
			if up := r.comesUp(t, f); up != slices.Contains(want, name) {
				t.Errorf("%s: frame for %s comes up: %v, want those for %v", when, name, up, want)
			}
		}
	}
	if err := do(r.dev); err != nil {
		t.Fatal(err)
	}
	check("at once")
	r.reset(t, r.NeedReset)
	check("after a reset")
}

// TestFilterTellsWhatChanged: joining a group does not have the device told all of its filter.
func TestFilterTellsWhatChanged(t *testing.T) {
	const promisc, allMulti, table = 0x0000, 0x0001, 0x0100
	r := newFilterRig(t, every)
	var got []uint16
	r.Work(func() {
		r.OnCommand = func(command uint16, _ []byte, ack int) int { got = append(got, command); return ack }
	})
	for _, tc := range []struct {
		name string
		do   func() error
		want []uint16
	}{
		{"one group instead of all", func() error { return r.dev.SetMulticast([]nic.MAC{groupA}) }, []uint16{table, allMulti}},
		{"another one", func() error { return r.dev.SetMulticast([]nic.MAC{groupA, groupB}) }, []uint16{table}},
		{"promiscuous", func() error { return r.dev.SetPromiscuous(true) }, []uint16{promisc}},
		{"all groups", func() error { return r.dev.SetMulticast(nil) }, []uint16{allMulti}},
		{"all of them again", func() error { return r.dev.SetMulticast(nil) }, nil},
	} {
		if err := tc.do(); err != nil {
			t.Fatal(err)
		}
		r.Work(func() {
			if !slices.Equal(got, tc.want) {
				t.Errorf("%s: commands %#04x, want %#04x", tc.name, got, tc.want)
			}
			got = nil
		})
	}
}

// TestFilterBeforeStart: what is asked for before Start goes for it.
func TestFilterBeforeStart(t *testing.T) {
	r := &rig{Net: virtionettest.New(testMAC, 1500, 16).Offer(every)}
	r.Filtering = true
	r.cond.L = &r.mu
	if err := r.newDriver(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.dev.SetMulticast([]nic.MAC{groupA}), r.dev.SetVLANs([]uint16{5}), r.dev.SetMAC(other)); err != nil {
		t.Fatal(err)
	}
	if err := r.dev.Start(r); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		f  []byte
		up bool
	}{{to(other, 0), true}, {to(testMAC, 0), false}, {to(groupA, 0), true}, {to(groupB, 0), false}, {to(other, 5), true}, {to(other, 6), false}} {
		if up := r.comesUp(t, tc.f); up != tc.up {
			t.Errorf("frame %x comes up: %v", tc.f[:18], up)
		}
	}
	r.dev.Close()
	r.Stop(t)
	if err := r.dev.SetPromiscuous(true); err != nic.ErrClosed {
		t.Errorf("SetPromiscuous after Close = %v, want ErrClosed", err)
	}
}

// TestWithoutAFilter: a device that cannot be told which frames are wanted receives all; nothing
// of it is an error.
func TestWithoutAFilter(t *testing.T) {
	for _, f := range []virtio.Features{0, virtionet.FeatureCtrlVQ} {
		r := newFilterRig(t, f)
		if err := errors.Join(r.dev.SetPromiscuous(true), r.dev.SetMulticast(nil), r.dev.SetMAC(other), r.dev.SetVLANs([]uint16{1})); err != nil {
			t.Error(err)
		}
		if !r.comesUp(t, to(other, 0)) {
			t.Error("frame is filtered")
		}
	}
}

func TestFilterRefusesNonsense(t *testing.T) {
	r := newFilterRig(t, every)
	for name, err := range map[string]error{
		"a group as address": r.dev.SetMAC(groupA), "no address": r.dev.SetMAC(nic.MAC{}),
		"VLAN 0": r.dev.SetVLANs([]uint16{5, 0}), "VLAN 4095": r.dev.SetVLANs([]uint16{4095}),
	} {
		if err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// TestHostileControl has a device answer commands as it should not: the caller gets an error, what
// was in force stays so, frames go on, and a device that comes to its senses is served again.
func TestHostileControl(t *testing.T) {
	for _, tc := range []struct {
		name, want string
		hostile    func(r *rig)
	}{
		{"refusal", "answers 0x1", func(r *rig) { r.OnCommand = func(uint16, []byte, int) int { return virtionettest.Err } }},
		{"unknown answer", "answers 0x7f", func(r *rig) { r.OnCommand = func(uint16, []byte, int) int { return 0x7f } }},
		{"answer not written", "answers 0xff", func(r *rig) { r.OnCommand = func(uint16, []byte, int) int { return 0xff } }},
		{"no answer", "no answer within", func(r *rig) { r.OnCommand = func(uint16, []byte, int) int { return virtionettest.NoAnswer } }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newFilterRig(t, every)
			r.dev.SetControlTimeout(5 * time.Millisecond)
			r.Work(func() { tc.hostile(r) })
			err := r.dev.SetPromiscuous(true)
			if !errors.Is(err, virtionet.ErrControl) || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("SetPromiscuous = %v, want ErrControl with %q", err, tc.want)
			}
			r.echo(t, "frames go on")
			r.Work(func() { r.OnCommand = nil })
			if tc.want == "no answer within" {
				if err := r.dev.SetPromiscuous(true); !errors.Is(err, virtionet.ErrControl) {
					t.Errorf("with one command unanswered: %v", err)
				}
				// The late answer.
				r.FinishKept()
			}
			if err := r.dev.SetMulticast([]nic.MAC{groupA}); err != nil {
				t.Errorf("afterwards: %v", err)
			}
			if up := r.comesUp(t, to(other, 0)); up {
				t.Error("device is promiscuous after SetPromiscuous failed")
			}
			if s := r.dev.Stats(); s.Resets != 0 || s.RingErrors != 0 {
				t.Errorf("counters are %+v", s)
			}
		})
	}
}

// TestControlRingNonsense: what a device writes into the ring of its control queue gets it reset.
func TestControlRingNonsense(t *testing.T) {
	r := newFilterRig(t, every)
	first := true
	r.Work(func() {
		r.OnCommand = func(_ uint16, _ []byte, ack int) int {
			if first {
				first = false
				r.Queue(2).Finish(77, 1)
				return virtionettest.NoAnswer
			}
			return ack
		}
	})
	r.reset(t, func() {
		if err := r.dev.SetPromiscuous(true); !errors.Is(err, virtio.ErrRing) {
			t.Errorf("SetPromiscuous = %v, want ErrRing", err)
		}
	})
	r.echo(t, "after it")
	if err := r.dev.SetPromiscuous(true); err != nil {
		t.Error(err)
	}
	if s := r.dev.Stats(); s.Resets != 1 || s.RingErrors != 1 {
		t.Errorf("counters are %+v", s)
	}
}

// TestRefusedAtStart: a device that refuses every command is used without what they are for.
func TestRefusedAtStart(t *testing.T) {
	for _, ack := range []int{virtionettest.Err, virtionettest.NoAnswer} {
		r := &rig{Net: virtionettest.NewPairs(testMAC, 1500, 16, 2).Offer(every)}
		r.cond.L = &r.mu
		r.OnCommand = func(uint16, []byte, int) int { return ack }
		if err := r.newDriver(); err != nil {
			t.Fatal(err)
		}
		r.dev.SetControlTimeout(time.Millisecond)
		if used, err := r.dev.StartQueues([]nic.Handler{r, r}); err != nil || used != 1 {
			t.Fatalf("StartQueues = %d, %v, want one queue", used, err)
		}
		r.echo(t, "alive")
		if err := r.dev.Transmit(&nic.TxFrame{Parts: [][]byte{frame("x")}, Owner: r, Queue: 1}); err != nil {
			t.Error(err)
		}
		r.takeTx(t, 1)
		if r.logged("doing without several queue pairs") != 1 {
			t.Errorf("log %q", r.logs)
		}
		r.dev.Close()
		if r.out != 0 {
			t.Errorf("%d receive buffers were not given back", r.out)
		}
	}
}

// announcer is a handler that announces.
type announcer struct {
	*rig
	announced int
}

func (a *announcer) Announce() { a.update(func() { a.announced++ }) }

func TestGuestAnnounce(t *testing.T) {
	r := &rig{Net: virtionettest.New(testMAC, 1500, 16).Offer(every)}
	r.cond.L = &r.mu
	a := &announcer{rig: r}
	if err := r.newDriver(); err != nil {
		t.Fatal(err)
	}
	if err := r.dev.Start(a); err != nil {
		t.Fatal(err)
	}
	defer r.Stop(t)
	defer r.dev.Close()
	for i := range 3 {
		r.Announce()
		r.wait(t, "Announce", func() bool { return a.announced == i+1 })
		r.spin(t, "its acknowledgement", func() bool { return r.Announced() == i+1 })
	}
	r.SetLink(false)
	r.wait(t, "link down", func() bool { return len(r.links) == 1 })
	if a.announced != 3 {
		t.Errorf("announced %d times, want 3", a.announced)
	}
}

// TestAnnounceIsAcknowledgedByAnyHandler: the device goes on asking else.
func TestAnnounceIsAcknowledgedByAnyHandler(t *testing.T) {
	r := newRigOffering(t, 16, every, 0)
	r.Announce()
	r.spin(t, "the acknowledgement", func() bool { return r.Announced() == 1 })
	without := newRigOffering(t, 16, every, virtionet.FeatureGuestAnnounce)
	without.Announce()
	without.echo(t, "alive")
	if n := without.Announced(); n != 0 {
		t.Errorf("%d acknowledgements of what was not negotiated", n)
	}
}

// TestFilterConcurrently has callers change filters while the device is reset again and again.
func TestFilterConcurrently(t *testing.T) {
	r := newFilterRig(t, every)
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			for n := range 100 {
				for _, err := range []error{r.dev.SetPromiscuous(n%2 == 0), r.dev.SetMulticast(nil), r.dev.SetVLANs([]uint16{uint16(1 + i)})} {
					if err != nil && !errors.Is(err, virtionet.ErrControl) {
						t.Error(err)
					}
				}
			}
		})
	}
	for i := range 5 {
		r.reset(t, r.NeedReset)
		r.echo(t, fmt.Sprint("reset ", i))
	}
	wg.Wait()
	r.echo(t, "still alive")
}
