package virtionet_test

import (
	"testing"

	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/drivers/virtio"
	"github.com/tamanet/tamanet/drivers/virtionet"
	"github.com/tamanet/tamanet/drivers/virtionet/virtionettest"
)

// FuzzConfig gives the driver any features, queue sizes and configuration: what it makes
// of them is usable, or an error.
func FuzzConfig(f *testing.F) {
	f.Fuzz(func(t *testing.T, features uint64, rxMax, txMax uint32, config, changed []byte) {
		r := &rig{Net: virtionettest.New(testMAC, 1500, 16)}
		r.cond.L = &r.mu
		r.Offered, r.Config = virtio.Features(features), config
		r.QueueMax[0], r.QueueMax[1] = rxMax, txMax
		err := r.newDriver()
		if err == nil {
			i := r.dev.Info()
			if !i.MAC.Unicast() || i.MTU < nic.MinMTU || i.MTU > 9000 || i.MaxParts < 1 || uint32(i.MaxParts) >= max(2, txMax) {
				t.Errorf("Info is %+v", i)
			}
			if extra := r.Accepted() &^ (virtio.FeatureVersion1 | virtionet.FeatureMAC | virtionet.FeatureMTU | virtionet.FeatureStatus | every); extra != 0 {
				t.Errorf("accepted %#x, which the driver does not know", uint64(extra))
			}
			if err := r.dev.Start(r); err != nil {
				t.Fatal(err)
			}
			r.SetConfig(func(b []byte) { copy(b, changed) })
			r.echo(t, "alive")
			if err := r.dev.Close(); err != nil {
				t.Fatal(err)
			}
		}
		r.Stop(t)
	})
}

// FuzzReceive has the device write a header and a frame of any content, and claim any length.
func FuzzReceive(f *testing.F) {
	f.Fuzz(func(t *testing.T, content []byte, claimed uint32) {
		r := newRig(t, 4)
		r.Work(func() {
			c, ok, err := r.Queue(0).Next()
			if !ok || err != nil {
				t.Fatal(err)
			}
			copy(c.In[0], content)
			r.Queue(0).Finish(uint32(c.Head), claimed)
		})
		r.echo(t, "alive")
		s := r.dev.Stats()
		if s.RxLength+s.RxFrames != 2 || s.RxBytes > 60+14+4+1500 {
			t.Errorf("counters are %+v, want one more frame, received or dropped", s)
		}
	})
}

// FuzzReceiveMerged is FuzzReceive with every feature negotiated: the content is cut into
// buffers of the size given, and of the last one any length is claimed.
func FuzzReceiveMerged(f *testing.F) {
	f.Fuzz(func(t *testing.T, content []byte, size uint16, claimed uint32) {
		r := newRigOffering(t, 64, every, 0)
		n := min(max(int(size), 1), 2048)
		r.Work(func() {
			q := r.Queue(0)
			for i := 0; i < 32 && len(content) > 0; i++ {
				c, ok, err := q.Next()
				if !ok || err != nil {
					t.Fatal(err)
				}
				b := content[:min(n, len(content))]
				content = content[len(b):]
				copy(c.In[0], b)
				length := uint32(len(b))
				if len(content) == 0 {
					length = claimed
				}
				q.Use(uint32(c.Head), length)
			}
			q.Publish()
			q.Interrupt()
		})
		// As many as a frame may still claim to lack.
		for range 33 {
			if !r.DeliverWait(frame("lost")) {
				t.Fatal("device is not live")
			}
		}
		r.echo(t, "alive")
		for _, b := range r.frames {
			if len(b) < nic.HeaderLen || len(b) > nic.MaxSegmented {
				t.Errorf("a frame of %d bytes came up", len(b))
			}
		}
		if s := r.dev.Stats(); s.Resets != 0 || int(s.RxFrames) != len(r.frames) {
			t.Errorf("counters are %+v with %d frames", s, len(r.frames))
		}
	})
}
