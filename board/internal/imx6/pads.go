//go:build tamago && arm

package imx6

import "github.com/tamanet/tamanet/kernel/imx6ul"

// How RMII's pins are driven (IMX6ULLRM §32.6): 100 kΩ pull-up and keeper, hysteresis,
// R0/6, medium speed for data and low speed for the clock.
const (
	dataPad  = 1<<16 | 2<<14 | 1<<13 | 1<<12 | 2<<6 | 6<<3
	clockPad = 1<<16 | 2<<14 | 1<<13 | 1<<12 | 0<<6 | 6<<3
)

// Pins of ENET1: the first function register and the first drive register, in steps of
// four for RX_DATA0, RX_DATA1, RX_EN, TX_DATA0, TX_DATA1, TX_EN, TX_CLK, RX_ER (§32.6.49 and on).
const (
	enet1Mux, enet1Ctl = 0x020e_00c4, 0x020e_0350
	enet2Mux, enet2Ctl = 0x020e_00e4, 0x020e_0370

	pinTxClk = 6
	pins     = 8

	enet1RefClkSelect = 0x020e_0574
	enet1MDIOSelect   = 0x020e_0578
	enet2RefClkSelect = 0x020e_057c
	enet2MDIOSelect   = 0x020e_0580

	gpio6Mux, gpio6Ctl = 0x020e_0074, 0x020e_0300 // GPIO1_IO06: MDIO
	gpio7Mux, gpio7Ctl = 0x020e_0078, 0x020e_0304 // GPIO1_IO07: MDC

	refClkMode  = 4 // ALT4: ENETn_REF_CLK
	refClkTxClk = 2 // REF_CLK's input is the TX_CLK pin
	mdioENET1   = 0 // ALT0
	mdioENET2   = 1 // ALT1
)

// RMII returns the pins of ENET n, 1 or 2, with MDIO on GPIO1_IO06 and MDC on GPIO1_IO07; mdioSelect
// is the value of its input select register for MDIO.
func RMII(n int, mdioSelect uint32) []imx6ul.Pad {
	mux, ctl, refSelect, mdioReg, mdio := uint32(enet1Mux), uint32(enet1Ctl), uint32(enet1RefClkSelect), uint32(enet1MDIOSelect), uint32(mdioENET1)
	if n == 2 {
		mux, ctl, refSelect, mdioReg, mdio = enet2Mux, enet2Ctl, enet2RefClkSelect, enet2MDIOSelect, mdioENET2
	}
	var p []imx6ul.Pad
	for i := range uint32(pins) {
		pad := imx6ul.Pad{Mux: mux + 4*i, Ctl: ctl + 4*i, Settings: dataPad}
		if i == pinTxClk {
			pad.Mode, pad.Settings = refClkMode|imx6ul.SION, clockPad
			pad.Daisy, pad.Select = refSelect, refClkTxClk
		}
		p = append(p, pad)
	}
	return append(p,
		imx6ul.Pad{Mux: gpio6Mux, Mode: mdio, Ctl: gpio6Ctl, Settings: dataPad, Daisy: mdioReg, Select: mdioSelect},
		imx6ul.Pad{Mux: gpio7Mux, Mode: mdio, Ctl: gpio7Ctl, Settings: dataPad})
}
