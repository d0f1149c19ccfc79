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
	configMTU    virtio.ConfigOffset = 10

	statusLinkUp = 1
)

// readConfig reads MAC, MTU and link status, and replaces what cannot be.
func (d *Device) readConfig() error {
	var mac nic.MAC
	var mtu, status int
	err := virtio.ReadConfig(d.t, func(c virtio.Config) {
		for i := range mac {
			mac[i] = c.Config8(configMAC + virtio.ConfigOffset(i))
		}
		mtu, status = int(c.Config16(configMTU)), int(c.Config16(configStatus))
	})
	if err != nil {
		return err
	}
	d.info.MAC = d.chooseMAC(mac)
	d.info.MTU = d.chooseMTU(mtu)
	up := !d.features.Has(FeatureStatus) || status&statusLinkUp != 0
	d.link.Store(&nic.LinkState{Up: up, FullDuplex: true})
	return nil
}

func (d *Device) chooseMAC(mac nic.MAC) nic.MAC {
	if d.features.Has(FeatureMAC) {
		if mac.Unicast() {
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
	default:
		return min(mtu, maxMTU)
	}
}
