//go:build tamago && arm

package usbarmory

import (
	"github.com/tamanet/tamanet/board/internal/imx6"
	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/drivers/phy"
	"github.com/tamanet/tamanet/kernel/imx6ul"
)

// modelLAN is the model that the upper byte of OCOTP_MAC0 tells (fuse bank 4 word 2); 0 is the β
// revision, 1 the γ.
const modelLAN = 2

// wdog2Pin is ENET1_TX_EN as WDOG2's reset, which is wired to the power management (IMX6ULLRM Table 59-1).
var wdog2Pin = imx6ul.Pad{Mux: 0x020e_00d8, Mode: 8, Ctl: 0x020e_0364, Settings: 1<<16 | 3<<14 | 1<<13 | 1<<12 | 6<<3}

// init finds out what is in the machine and registers it.
func init() {
	imx6ul.Configure([]imx6ul.Pad{wdog2Pin})
	imx6ul.Reset = func() { imx6ul.ResetWatchdog(2) }

	d, err := network()
	if err != nil {
		imx6.Warn("%v", err)
		imx6.Register("usbarmory")
		return
	}
	imx6.Register("usbarmory", d)
}

// network opens the network device that this model has.
func network() (nic.Device, error) {
	if !imx6ul.Native() || imx6ul.Fuse(4, 2)>>24 == modelLAN {
		// The LAN model's PHY is at 0, QEMU's at 1.
		return imx6.ENET{N: 2, PHY: phy.ScanAddr, Pads: imx6.RMII(2, 0)}.Open()
	}
	return openUSB()
}
