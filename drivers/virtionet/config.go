package virtionet

import (
	"crypto/rand"

	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/drivers/virtio"
)

// Fields of struct virtio_net_config (§5.1.4).
const (
	configMAC    virtio.ConfigOffset = 0
	configStatus virtio.ConfigOffset = 6
	configPairs  virtio.ConfigOffset = 8 // max_virtqueue_pairs
	configMTU    virtio.ConfigOffset = 10

	statusLinkUp   = 1
	statusAnnounce = 2

	// mostPairs is the largest max_virtqueue_pairs (§5.1.5).
	mostPairs = 0x8000
)

// readConfig reads MAC, MTU, link status and number of queue pairs, and replaces what cannot be.
func (d *Device) readConfig() error {
	var mac nic.MAC
	var mtu, status, pairs int
	err := virtio.ReadConfig(d.t, func(c virtio.Config) {
		for i := range mac {
			mac[i] = c.Config8(configMAC + virtio.ConfigOffset(i))
		}
		mtu, status, pairs = int(c.Config16(configMTU)), int(c.Config16(configStatus)), int(c.Config16(configPairs))
	})
	if err != nil {
		return err
	}
	d.info.MAC = d.chooseMAC(mac)
	d.ctrl.filter.mac = d.info.MAC
	d.info.MTU = d.chooseMTU(mtu)
	up := !d.features.Has(FeatureStatus) || status&statusLinkUp != 0
	d.link.Store(&nic.LinkState{Up: up, FullDuplex: true})
	d.maxPairs = 1
	if !d.features.Has(FeatureMQ) {
		return nil
	}
	if pairs < 1 || pairs > mostPairs {
		d.logf("%s: device has %d queue pairs, want 1 to %d: using one", d.info.Name, pairs, mostPairs)
		return d.negotiate(d.features &^ FeatureMQ)
	}
	d.maxPairs = pairs
	return nil
}

func (d *Device) chooseMAC(mac nic.MAC) nic.MAC {
	if d.features.Has(FeatureMAC) {
		if mac.Unicast() {
			d.deviceMAC = mac
			return mac
		}
		d.logf("%s: device's address %v is not a station's, using a random one", d.info.Name, mac)
	}
	rand.Read(mac[:])
	// Locally administered, individual (IEEE 802 §8.2).
	mac[0] = mac[0]&^1 | 2
	return mac
}

func (d *Device) chooseMTU(mtu int) int {
	switch {
	case !d.features.Has(FeatureMTU):
		return defaultMTU
	case mtu < nic.MinMTU:
		d.logf("%s: device's MTU %d is below %d, using %d", d.info.Name, mtu, nic.MinMTU, defaultMTU)
		return defaultMTU
	case mtu > maxMTU:
		d.logf("%s: device's MTU %d is above %d, using %d", d.info.Name, mtu, maxMTU, maxMTU)
		return maxMTU
	default:
		return mtu
	}
}
