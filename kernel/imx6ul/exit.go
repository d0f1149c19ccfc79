//go:build tamago && arm

package imx6ul

// Reset restarts the board. A board's package sets it; it may return when it cannot.
var Reset func()

// maxExit is the greatest code that fits into QEMU's exit status as semihostingExit has it.
const maxExit = 127

// exit ends the machine: QEMU by semihosting, with the exit status code<<1|1, which its own
// failures do not have, as on the board microvm; a code that does not fit into 0..127 becomes 127. A
// board halts after code 0 and restarts after any other, which is what a panic has.
//
//go:nosplit
func exit(code int32) {
	disableInterrupts()
	drainConsole()
	if !native() {
		status := code
		if status < 0 || status > maxExit {
			status = maxExit
		}
		semihostingExit(status<<1 | 1)
	}
	if code != 0 && Reset != nil {
		reset()
	}
	for {
		wfi()
	}
}

// reset is apart from exit, which must not grow the stack.
func reset() { Reset() }

// stop prints why the machine cannot go on, and ends it with status 1. It can be
// used before the runtime is set up.
func stop(why string) {
	for _, s := range [...]string{"tamanet: ", why, "\n"} {
		for i := range len(s) {
			printk(s[i])
		}
	}
	exit(1)
}
