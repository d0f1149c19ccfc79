//go:build tamago

package amd64

import (
	"sync/atomic"
	_ "unsafe" // for go:linkname
)

// COM1 and the registers of a 16550A, in the order of its data sheet.
const (
	com1 = 0x3f8

	uartTHR = com1 + 0 // transmit holding; divisor latch low with LCR.DLAB
	uartIER = com1 + 1 // interrupt enable; divisor latch high with LCR.DLAB
	uartFCR = com1 + 2 // FIFO control
	uartLCR = com1 + 3 // line control
	uartMCR = com1 + 4 // modem control
	uartLSR = com1 + 5 // line status

	lcr8N1   = 0x03
	lcrDLAB  = 0x80
	fcrReset = 0x07 // FIFOs on and emptied
	mcrReady = 0x03 // DTR, RTS
	lsrTHRE  = 0x20 // the transmit FIFO is empty

	fifoSize = 16

	// A port read takes a microsecond or so on hardware and under emulation, and
	// 16 characters at 115200 baud take 1.4 ms.
	txPolls = 50_000

	// More than the longest wait of another processor.
	lockPolls = 100 * txPolls
)

// console is the state of COM1's transmitter. What is printed from an exception may overtake.
var console struct {
	lock  atomic.Uint32
	room  int  // characters that surely fit into the FIFO
	stuck bool // the last wait for room was in vain
}

// initConsole sets COM1 to 115200 baud, 8 data bits, no parity, no interrupts.
func initConsole() {
	outb(uartIER, 0)
	outb(uartLCR, lcrDLAB)
	outb(uartTHR, 1)
	outb(uartIER, 0)
	outb(uartLCR, lcr8N1)
	outb(uartFCR, fcrReset)
	outb(uartMCR, mcrReady)
}

// printk writes one character to COM1. It never blocks for good: a reader
// that does not read costs one bounded wait, and from then on characters are
// dropped until there is room again.
//
//go:linkname printk runtime/goos.Printk
//go:nosplit
func printk(c byte) {
	if smp {
		// In vain when the holder was interrupted by an exception that prints, or was stopped.
		for polls := lockPolls; polls > 0 && !console.lock.CompareAndSwap(0, 1); polls-- {
		}
	}
	transmit(c)
	console.lock.Store(0)
}

// transmit writes one character to COM1, unless there is no room for too long.
//
//go:nosplit
func transmit(c byte) {
	if console.room == 0 {
		polls := txPolls
		if console.stuck {
			polls = 1
		}
		for inb(uartLSR)&lsrTHRE == 0 {
			if polls--; polls <= 0 {
				console.stuck = true
				return
			}
		}
		console.stuck = false
		console.room = fifoSize
	}

	console.room--
	outb(uartTHR, c)
}

// puts writes a string to COM1. Unlike print it can be used before the runtime
// is set up and from an exception.
//
//go:nosplit
func puts(s string) {
	for i := 0; i < len(s); i++ {
		printk(s[i])
	}
}

// putHex writes v to COM1 as 0x and its significant hexadecimal digits.
//
//go:nosplit
func putHex(v uint64) {
	const digits = "0123456789abcdef"

	puts("0x")
	shift := 60
	for shift > 0 && v>>shift == 0 {
		shift -= 4
	}
	for ; shift >= 0; shift -= 4 {
		printk(digits[v>>shift&15])
	}
}
