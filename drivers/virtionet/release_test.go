package virtionet_test

import (
	"testing"

	"github.com/tamanet/tamanet/drivers/virtio"
	"github.com/tamanet/tamanet/drivers/virtionet"
	"github.com/tamanet/tamanet/drivers/virtionet/virtionettest"
)

// TestInterruptsAreGivenBack: Close calls Release once the device is reset, and not when it cannot be.
func TestInterruptsAreGivenBack(t *testing.T) {
	for _, tc := range []struct {
		name         string
		start, stuck bool
		want         int
	}{
		{"running", true, false, 1},
		{"not started", false, false, 1},
		{"stuck", true, true, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n := virtionettest.New(testMAC, 1500, 16)
			tr, err := virtio.NewMMIO(n.Region())
			if err != nil {
				t.Fatal(err)
			}
			released := 0
			d, err := virtionet.New(virtionet.Config{Transport: tr, Memory: n.Mem, Interrupt: n.Line, Logf: t.Logf, Release: func() {
				if released++; n.Status() != 0 {
					t.Errorf("released with the device at status %#x, want 0: reset", n.Status())
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			r := &rig{Net: n}
			r.cond.L = &r.mu
			if tc.start {
				if err := d.Start(r); err != nil {
					t.Fatal(err)
				}
			}
			n.Work(func() { n.StuckReset = tc.stuck })
			if err := d.Close(); tc.stuck != (err != nil) {
				t.Errorf("Close = %v", err)
			}
			d.Close()
			if released != tc.want {
				t.Errorf("released %d times, want %d", released, tc.want)
			}
		})
	}
}
