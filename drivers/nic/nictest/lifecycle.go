package nictest

import (
	"errors"
	"testing"

	"github.com/tamanet/tamanet/drivers/nic"
)

func testInfo(t *testing.T, open Open) {
	r := newRig(t, open)
	i := r.Device.Info()
	if i.Name == "" || !i.MAC.Unicast() || i.MTU < nic.MinMTU || i.MaxParts < 1 {
		t.Errorf("Info is %+v", i)
	}
	if i != r.Device.Info() {
		t.Error("Info changes")
	}
}

func testLifecycle(t *testing.T, open Open) {
	r := newRig(t, open)
	o := &owner{r: r}
	f := nic.TxFrame{Parts: [][]byte{frame(60, 0)}, Owner: o}
	if err := r.Device.Transmit(&f); !errors.Is(err, nic.ErrNotStarted) {
		t.Errorf("Transmit before Start = %v, want ErrNotStarted", err)
	}
	if err := r.Device.Start(&r.handler); err != nil {
		t.Fatal(err)
	}
	if err := r.Device.Start(&r.handler); !errors.Is(err, nic.ErrStarted) {
		t.Errorf("second Start = %v, want ErrStarted", err)
	}
	for range 2 {
		if err := r.Device.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	}
	if err := r.Device.Transmit(&f); !errors.Is(err, nic.ErrClosed) {
		t.Errorf("Transmit after Close = %v, want ErrClosed", err)
	}
	if err := r.Device.Start(&r.handler); !errors.Is(err, nic.ErrClosed) {
		t.Errorf("Start after Close = %v, want ErrClosed", err)
	}
	if o.released != 0 {
		t.Error("the owner of a frame that was refused was released")
	}
}

func testCloseUnstarted(t *testing.T, open Open) {
	r := newRig(t, open)
	if err := r.Device.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
}

// testStartWithoutMemory gives no buffer at all: Start must fail, and Close clean up.
func testStartWithoutMemory(t *testing.T, open Open) {
	r := newRig(t, open)
	r.starve = true
	if err := r.Device.Start(&r.handler); err == nil {
		t.Error("Start without a single receive buffer succeeded")
	}
}

// testCloseWhileBusy closes with frames in both directions under way.
func testCloseWhileBusy(t *testing.T, open Open) {
	r := start(t, open)
	for i := range 20 {
		r.Send(frame(60, i))
	}
	r.Stall(true)
	var owners []*owner
	for {
		o := &owner{r: r}
		if err := r.Device.Transmit(&nic.TxFrame{Parts: [][]byte{frame(60, 0)}, Owner: o}); err != nil {
			break
		}
		owners = append(owners, o)
	}
	done := make(chan error, 2)
	for range 2 {
		go func() { done <- r.Device.Close() }()
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Errorf("Close = %v", err)
		}
	}
	r.mu.Lock()
	r.closed = true
	for i, o := range owners {
		if o.released != 1 {
			t.Errorf("owner %d of %d was released %d times when Close returned", i, len(owners), o.released)
		}
	}
	if r.out != 0 {
		t.Errorf("%d receive buffers are still out when Close has returned", r.out)
	}
	r.mu.Unlock()
	r.complaints(t)
}

func testLink(t *testing.T, open Open) {
	r := start(t, open)
	if r.SetLink == nil {
		t.Skip("this hardware does not tell the state of its medium")
	}
	r.SetLink(false)
	r.wait(t, "link down", func() bool { return len(r.links) > 0 && !r.links[len(r.links)-1].Up })
	if r.Device.Link().Up {
		t.Error("Link is up after LinkChange said down")
	}
	r.SetLink(true)
	r.wait(t, "link up", func() bool { return r.links[len(r.links)-1].Up })
	if !r.Device.Link().Up {
		t.Error("Link is down after LinkChange said up")
	}
}
