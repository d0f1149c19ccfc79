package virtionet_test

import (
	"sync"
	"testing"

	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/drivers/nic/nictest"
	"github.com/tamanet/tamanet/drivers/virtio"
	"github.com/tamanet/tamanet/drivers/virtionet"
	"github.com/tamanet/tamanet/drivers/virtionet/virtionettest"
)

var testMAC = nic.MAC{2, 0, 0, 0, 0, 1}

// The features for which a header says something, and all that can be switched off.
const (
	offloads = virtionet.FeatureCsum | virtionet.FeatureGuestCsum | virtionet.FeatureHostTSO4 |
		virtionet.FeatureHostTSO6 | virtionet.FeatureHostECN
	large = virtionet.FeatureMrgRxbuf | virtionet.FeatureGuestTSO4 | virtionet.FeatureGuestTSO6 | virtionet.FeatureGuestECN

	rings = virtio.FeatureEventIdx | virtio.FeatureIndirectDesc | virtio.FeatureRingPacked

	commands = virtionet.FeatureCtrlVQ | virtionet.FeatureCtrlRX | virtionet.FeatureCtrlVLAN |
		virtionet.FeatureCtrlMACAddr | virtionet.FeatureGuestAnnounce | virtionet.FeatureMQ

	every virtio.Features = offloads | large | rings | commands
)

// gate is a wire that can be held up.
type gate struct {
	mu   sync.Mutex
	cond sync.Cond
	shut bool
}

func newGate() *gate {
	g := &gate{}
	g.cond.L = &g.mu
	return g
}

func (g *gate) set(shut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = shut
	g.cond.Broadcast()
}

func (g *gate) pass() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.shut {
		g.cond.Wait()
	}
}

func TestConformance(t *testing.T) {
	for _, tc := range []struct {
		name    string
		mtu     int
		ring    uint32
		offered virtio.Features
	}{
		{"256 descriptors", 1500, 256, 0},
		{"4 descriptors", 1500, 4, 0},
		{"jumbo", 9000, 64, 0},
		{"checksums and segmentation", 1500, 256, offloads},
		{"mergeable buffers, jumbo", 9000, 64, virtionet.FeatureMrgRxbuf},
		{"mergeable buffers, jumbo, 4 descriptors", 9000, 4, virtionet.FeatureMrgRxbuf},
		{"event indices", 1500, 256, virtio.FeatureEventIdx},
		{"event indices, 2 descriptors", 1500, 2, virtio.FeatureEventIdx},
		{"indirect descriptors, 2 descriptors", 1500, 2, virtio.FeatureIndirectDesc},
		{"packed ring", 1500, 256, virtio.FeatureRingPacked},
		{"packed ring, 2 descriptors", 1500, 2, virtio.FeatureRingPacked},
		{"packed ring, event indices", 1500, 256, virtio.FeatureRingPacked | virtio.FeatureEventIdx},
		{"packed ring, event indices, 2 descriptors", 1500, 2, virtio.FeatureRingPacked | virtio.FeatureEventIdx},
		{"packed ring, indirect descriptors, 4 descriptors", 1500, 4, virtio.FeatureRingPacked | virtio.FeatureIndirectDesc},
		{"every feature but the packed ring", 1500, 256, every &^ virtio.FeatureRingPacked},
		{"every feature", 1500, 256, every},
		{"every feature, 4 descriptors", 1500, 4, every},
		{"every feature, jumbo", 9000, 64, every},
	} {
		t.Run(tc.name, func(t *testing.T) {
			nictest.Run(t, func(tb testing.TB, sent func([]byte)) *nictest.Fixture {
				n := virtionettest.New(testMAC, tc.mtu, tc.ring).Offer(tc.offered)
				n.Filtering = true
				d := n.NewDriver(tb)
				g := newGate()
				n.Start(func(f []byte) {
					g.pass()
					sent(f)
				})
				return &nictest.Fixture{
					Device:  d,
					Send:    func(f []byte) { n.DeliverWait(f) },
					Stall:   g.set,
					SetLink: n.SetLink,
					Check:   n.Stop,
				}
			})
		})
	}
}
