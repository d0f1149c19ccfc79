//go:build tamago

package main

// Ports and commands of the 8254, whose channel 0 is interrupt line 2
// on the I/O APIC.
const (
	pitChannel0 = 0x40
	pitCommand  = 0x43

	pitRate   = 0x34 // channel 0, low then high byte, mode 2
	pitStop   = 0x30 // mode 0: without a count, it does not fire
	pitOnce   = 0x10 // low byte only, mode 0: fires once
	pitPeriod = 600  // about 2 kHz
)

func startPIT() {
	outb(pitCommand, pitRate)
	outb(pitChannel0, pitPeriod&0xff)
	outb(pitChannel0, pitPeriod>>8)
}

func stopPIT() {
	outb(pitCommand, pitStop)
}

// oneshotPIT makes the timer fire once, after some 0.84 µs.
func oneshotPIT(counts uint8) {
	outb(pitCommand, pitOnce)
	outb(pitChannel0, counts)
}

// Implemented in assembly.
func outb(port uint16, v uint8)
