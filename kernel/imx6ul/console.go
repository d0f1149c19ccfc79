//go:build tamago && arm

package imx6ul

import _ "unsafe" // for go:linkname

// Registers of a UART and their bits (IMX6ULLRM §55.15).
const (
	urxd = 0x00
	utxd = 0x40
	ucr1 = 0x80
	ucr2 = 0x84
	ucr3 = 0x88
	ufcr = 0x90
	ubir = 0xa4
	ubmr = 0xa8
	uts  = 0xb4

	urxdReady    = 1 << 15
	ucr1Enable   = 1 << 0
	ucr2NoReset  = 1 << 0
	ucr2Receive  = 1 << 1
	ucr2Transmit = 1 << 2
	ucr28Bits    = 1 << 5
	ucr2NoRTS    = 1 << 14
	ucr3Mux      = 1 << 2 // must be 1
	ucr3NoAuto   = 1 << 7
	ufcrBy2      = 4 << 7 // reference clock is the module's by 2
	ufcrTxLevel  = 2 << 10
	ufcrRxLevel  = 1
	utsTxEmpty   = 1 << 6
	utsTxFull    = 1 << 4

	// A register read takes 100 ns at least, a character 87 µs at 115200 baud.
	txPolls = 100_000
)

// port is the console's base, 0 until something is printed.
var port uintptr

// initConsole sets the console to 115200 baud, 8 data bits, no parity. The DCD of the image
// has set up the pins and switched the clocks on, of which the UART's is PLL3/6 = 80 MHz.
//
//go:nosplit
func initConsole() {
	port = uart1
	if native() {
		port = nativeConsole
	}
	// Baud rate is clock / 2 / 16 / ((UBMR+1) / (UBIR+1)), §55.5.
	const clock, baud = 80_000_000, 115200
	store32(port+ucr1, 0)
	store32(port+ucr3, ucr3Mux|ucr3NoAuto)
	store32(port+ufcr, ufcrTxLevel|ufcrRxLevel|ufcrBy2)
	store32(port+ubir, 15)
	store32(port+ubmr, clock/(2*baud))
	store32(port+ucr2, ucr2NoReset|ucr28Bits|ucr2NoRTS|ucr2Transmit|ucr2Receive)
	store32(port+ucr1, ucr1Enable)
}

// printk writes a character to the console. It waits for room, for a bounded time. It works
// from the first instruction on, for what the runtime may have to say.
//
//go:linkname printk runtime/goos.Printk
//go:nosplit
func printk(c byte) {
	if port == 0 {
		initConsole()
	}
	if c == '\n' {
		put('\r')
	}
	put(c)
}

//go:nosplit
func put(c byte) {
	for i := 0; load32(port+uts)&utsTxFull != 0; i++ {
		if i == txPolls {
			return
		}
	}
	store32(port+utxd, uint32(c))
}

// drainConsole waits until everything printed has left, for a bounded time.
//
//go:nosplit
func drainConsole() {
	for i := 0; port != 0 && i < 32*txPolls && load32(port+uts)&utsTxEmpty == 0; i++ {
	}
}
