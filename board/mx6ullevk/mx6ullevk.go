//go:build tamago && arm

package mx6ullevk

import (
	"github.com/tamanet/tamanet/board/internal/imx6"
	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/kernel/imx6ul"
)

// lcdReset is the pin LCD_RESET as WDOG1_WDOG_ANY, which is wired to the power reset (IMX6ULLRM Table 59-1).
var lcdReset = imx6ul.Pad{Mux: 0x020e_0114, Mode: 4, Ctl: 0x020e_03a0, Settings: 1<<16 | 3<<14 | 1<<13 | 1<<12 | 6<<3}

// init finds out what is in the machine and registers it.
func init() {
	imx6ul.Configure([]imx6ul.Pad{lcdReset})
	imx6ul.Reset = func() { imx6ul.ResetWatchdog(1) }

	var nics []nic.Device
	d, err := imx6.ENET{N: 1, PHY: 2, Pads: imx6.RMII(1, 0)}.Open()
	if err != nil {
		imx6.Warn("%v", err)
	} else {
		nics = append(nics, d)
	}
	imx6.Register("mx6ullevk", nics...)
}
