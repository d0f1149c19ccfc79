//go:build tamago

package amd64

// Ports of PCI's configuration mechanism 1, PCI 3.0 §3.2.2.3.2.
const (
	pciConfigAddress = 0xcf8
	pciConfigData    = 0xcfc

	pciConfigEnable = 1 << 31
)

// Implemented in pci_amd64.s.
func outl(port uint16, v uint32)
func inl(port uint16) uint32

// PCIConfig returns a register of a function's PCI configuration space, by ports. function is
// bus, device and function number as in the address of pci.Address; reg is a multiple
// of 4 below 256. It is for finding out where configuration space is in memory, and not
// safe for concurrent use.
func PCIConfig(function uint16, reg uint8) uint32 {
	outl(pciConfigAddress, pciConfigEnable|uint32(function)<<8|uint32(reg&^3))
	return inl(pciConfigData)
}

// SetPCIConfig sets what PCIConfig returns.
func SetPCIConfig(function uint16, reg uint8, v uint32) {
	outl(pciConfigAddress, pciConfigEnable|uint32(function)<<8|uint32(reg&^3))
	outl(pciConfigData, v)
}
