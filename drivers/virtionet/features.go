package virtionet

import (
	"fmt"
	"strings"

	"github.com/tamanet/tamanet/drivers/virtio"
)

// Feature bits of a network device (§5.1.3).
const (
	FeatureCsum      virtio.Features = 1 << 0
	FeatureGuestCsum virtio.Features = 1 << 1
	FeatureMTU       virtio.Features = 1 << 3
	FeatureMAC       virtio.Features = 1 << 5
	FeatureGuestTSO4 virtio.Features = 1 << 7
	FeatureGuestTSO6 virtio.Features = 1 << 8
	FeatureGuestECN  virtio.Features = 1 << 9
	FeatureHostTSO4  virtio.Features = 1 << 11
	FeatureHostTSO6  virtio.Features = 1 << 12
	FeatureHostECN   virtio.Features = 1 << 13
	FeatureMrgRxbuf  virtio.Features = 1 << 15
	FeatureStatus    virtio.Features = 1 << 16

	FeatureCtrlVQ        virtio.Features = 1 << 17
	FeatureCtrlRX        virtio.Features = 1 << 18
	FeatureCtrlVLAN      virtio.Features = 1 << 19
	FeatureGuestAnnounce virtio.Features = 1 << 21
	FeatureMQ            virtio.Features = 1 << 22
	FeatureCtrlMACAddr   virtio.Features = 1 << 23
)

// wantedFeatures are those that the driver knows.
const wantedFeatures = FeatureMTU | FeatureMAC | FeatureStatus | FeatureCsum | FeatureGuestCsum |
	FeatureHostTSO4 | FeatureHostTSO6 | FeatureHostECN |
	FeatureMrgRxbuf | FeatureGuestTSO4 | FeatureGuestTSO6 | FeatureGuestECN |
	FeatureCtrlVQ | FeatureCtrlRX | FeatureCtrlVLAN | FeatureCtrlMACAddr | FeatureGuestAnnounce | FeatureMQ |
	virtio.FeatureEventIdx | virtio.FeatureIndirectDesc | virtio.FeatureRingPacked

// featureNames are the names for ParseFeatures.
var featureNames = []struct {
	name string
	bit  virtio.Features
}{
	{"csum", FeatureCsum},
	{"guest_csum", FeatureGuestCsum},
	{"tso4", FeatureHostTSO4},
	{"tso6", FeatureHostTSO6},
	{"ecn", FeatureHostECN},
	{"mrg_rxbuf", FeatureMrgRxbuf},
	{"guest_tso4", FeatureGuestTSO4},
	{"guest_tso6", FeatureGuestTSO6},
	{"guest_ecn", FeatureGuestECN},
	{"event_idx", virtio.FeatureEventIdx},
	{"indirect_desc", virtio.FeatureIndirectDesc},
	{"packed", virtio.FeatureRingPacked},
	{"ctrl_vq", FeatureCtrlVQ},
	{"ctrl_rx", FeatureCtrlRX},
	{"ctrl_mac_addr", FeatureCtrlMACAddr},
	{"ctrl_vlan", FeatureCtrlVLAN},
	{"guest_announce", FeatureGuestAnnounce},
	{"mq", FeatureMQ},
}

// needs says what a feature is of no use without (§5.1.3.1). A device may offer to
// receive long segments without mergeable buffers, but then each buffer would have to
// hold 64 KiB.
var needs = []struct{ feature, needed virtio.Features }{
	{FeatureHostTSO4, FeatureCsum},
	{FeatureHostTSO6, FeatureCsum},
	{FeatureGuestTSO4, FeatureGuestCsum | FeatureMrgRxbuf},
	{FeatureGuestTSO6, FeatureGuestCsum | FeatureMrgRxbuf},
	{FeatureCtrlRX, FeatureCtrlVQ},
	{FeatureCtrlVLAN, FeatureCtrlVQ},
	{FeatureCtrlMACAddr, FeatureCtrlVQ},
	{FeatureGuestAnnounce, FeatureCtrlVQ | FeatureStatus},
	{FeatureMQ, FeatureCtrlVQ},
}

// negotiate agrees on those of want that the device offers, each with all that
// it needs. The errors are virtio.Negotiate's.
func (d *Device) negotiate(want virtio.Features) (err error) {
	if d.features, err = virtio.Negotiate(d.t, want); err != nil {
		return err
	}
	if f := usable(d.features); f != d.features {
		d.features, err = virtio.Negotiate(d.t, f)
	}
	return err
}

// usable leaves those features out that come without what they need.
func usable(f virtio.Features) virtio.Features {
	for _, n := range needs {
		if !f.Has(n.needed) {
			f &^= n.feature
		}
	}
	if f&(FeatureHostTSO4|FeatureHostTSO6) == 0 {
		f &^= FeatureHostECN
	}
	if f&(FeatureGuestTSO4|FeatureGuestTSO6) == 0 {
		f &^= FeatureGuestECN
	}
	return f
}

// FeatureNames returns the names that ParseFeatures takes.
func FeatureNames() []string {
	names := make([]string, len(featureNames))
	for i, n := range featureNames {
		names[i] = n.name
	}
	return names
}

// ParseFeatures returns the features of a list of names with commas between them,
// for Config.Disable; "all" stands for every one that can be switched off. The error names a
// name that there is none of, and those that there are.
func ParseFeatures(list string) (f virtio.Features, err error) {
	for word := range strings.SplitSeq(list, ",") {
		bit := virtio.Features(0)
		for _, n := range featureNames {
			if word == n.name || word == "all" {
				bit |= n.bit
			}
		}
		if bit == 0 {
			return 0, fmt.Errorf("virtionet: no feature %q, want some of all,%s", word, strings.Join(FeatureNames(), ","))
		}
		f |= bit
	}
	return f, nil
}
