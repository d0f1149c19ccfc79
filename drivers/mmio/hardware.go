//go:build tamago && (amd64 || arm)

package mmio

// At returns the device registers at addr, size bytes of them. The board must
// have mapped that range one to one as device memory (uncached), and passes
// an address that its manual or its bus gave.
func At(addr uintptr, size int) Region { return raw{base: addr, size: size} }
