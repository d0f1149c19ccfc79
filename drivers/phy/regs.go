package phy

// Reg is the number of a management register, 0 to 31 (IEEE 802.3 §22.2.4).
type Reg uint8

// The registers that every PHY has (IEEE 802.3 Table 22-6; Linux: include/uapi/linux/mii.h).
const (
	BMCR   Reg = 0 // basic mode control
	BMSR   Reg = 1 // basic mode status
	ID1    Reg = 2 // identifier, upper half
	ID2    Reg = 3 // identifier, lower half
	ANAR   Reg = 4 // advertisement (Linux: MII_ADVERTISE)
	ANLPAR Reg = 5 // link partner's abilities (Linux: MII_LPA)
)

// Bits of BMCR (§22.2.4.1).
const (
	bmcrReset      = 1 << 15
	bmcrSpeed100   = 1 << 13
	bmcrANEnable   = 1 << 12
	bmcrPowerDown  = 1 << 11
	bmcrANRestart  = 1 << 9
	bmcrFullDuplex = 1 << 8
)

// Bits of BMSR (§22.2.4.2).
const (
	bmsr100Full    = 1 << 14
	bmsr100Half    = 1 << 13
	bmsr10Full     = 1 << 12
	bmsr10Half     = 1 << 11
	bmsrANComplete = 1 << 5
	bmsrANAble     = 1 << 3
	// bmsrLink is latched low: it shows a loss until it has been read once.
	bmsrLink = 1 << 2
)

// Abilities in ANAR and ANLPAR (§28.2.1.2, Annex 28B).
const (
	anSelector  = 1 // IEEE 802.3
	an10Half    = 1 << 5
	an10Full    = 1 << 6
	an100Half   = 1 << 7
	an100Full   = 1 << 8
	anPause     = 1 << 10
	anAsymPause = 1 << 11
)

// absent is what the bus reads where no PHY drives it: MDIO is pulled up.
const absent = 0xffff

// maxAddr is the largest address of a PHY (§22.2.4.5.5).
const maxAddr = 31
