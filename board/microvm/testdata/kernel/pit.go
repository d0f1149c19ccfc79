//go:build tamago

package main

// Ports and commands of the 8254, whose channel 0 is interrupt line 2
// on the I/O APIC.
const (
	pitChannel0 = 0x40
	pitCommand  = 0x43

	pitRate   = 0x34 // channel 0, low then high byte, mode 2
	pitStop   = 0x30 // mode 0: without a count, it does not fire
	pitPeriod = 120  // about 10 kHz
)

func startPIT() {
	outb(pitCommand, pitRate)
	outb(pitChannel0, pitPeriod&0xff)
	outb(pitChannel0, pitPeriod>>8)
}

func stopPIT() {
	outb(pitCommand, pitStop)
}

// Implemented in assembly.
func outb(port uint16, v uint8)
