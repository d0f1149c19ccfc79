//go:build tamago

package amd64

import (
	"fmt"

	"github.com/tamanet/tamanet/kernel/irq"
)

// msiBase is where devices write their messages, SDM vol. 3 §10.11.1: bits 12 to 19 are the
// local APIC that takes them.
const msiBase = 0xfee0_0000

// messages is how many lines are given to messages; ioapics' lock guards it.
var messages int

// AllocateMSI returns n lines for message signalled interrupts. They are lines that no I/O
// APIC has, counted down from the last: AddIOAPIC comes first. The error says how many
// are left.
func AllocateMSI(n int) ([]irq.Line, error) {
	ioapics.Lock()
	defer ioapics.Unlock()

	first := 0 // that no I/O APIC has
	for _, io := range ioapics.all {
		first = max(first, int(io.first)+io.lines)
	}
	last := maxLine - messages
	if left := max(0, last-first+1); n > left {
		return nil, fmt.Errorf("%d interrupt lines for messages are left, want %d", left, n)
	}
	lines := make([]irq.Line, n)
	for i := range lines {
		lines[i] = irq.Line(last - i)
	}
	messages += n
	return lines, nil
}

// MSI returns the message that raises a line on the processor with that local APIC, see [NextAPIC]: what a
// device writes, and where to (SDM vol. 3 §10.11; fixed delivery, edge-triggered).
func MSI(l irq.Line, apic uint8) (addr uint64, data uint32) {
	return msiBase | uint64(apic)<<12, vecLines + uint32(l)
}
