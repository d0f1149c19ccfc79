//go:build tamago

package amd64

import "github.com/tamanet/tamanet/kernel/irq"

// msiBase is where devices write their messages, SDM vol. 3 §10.11.1: bits 12 to 19 are the
// local APIC that takes them.
const msiBase = 0xfee0_0000

// messages has the lines that no I/O APIC has.
var messages irq.Pool

// AllocateMSI returns up to n lines for message signalled interrupts, at least two: that of a device, and one for its
// queues. They are lines that no I/O APIC has, from the last down: AddIOAPIC comes first. FreeMSI takes them
// back. The error says how many are left.
func AllocateMSI(n int) ([]irq.Line, error) {
	ioapics.Lock()
	first := 0 // that no I/O APIC has
	for _, io := range ioapics.all {
		first = max(first, int(io.first)+io.lines)
	}
	ioapics.Unlock()
	return messages.Take(n, min(n, 2), irq.Line(first), maxLine)
}

// FreeMSI gives back lines of AllocateMSI, whose device does not use them any more.
func FreeMSI(lines []irq.Line) { messages.Give(lines) }

// MSI returns the message that raises a line on the processor with that local APIC, see [NextAPIC]: what a
// device writes, and where to (SDM vol. 3 §10.11; fixed delivery, edge-triggered).
func MSI(l irq.Line, apic uint8) (addr uint64, data uint32) {
	return msiBase | uint64(apic)<<12, vecLines + uint32(l)
}
