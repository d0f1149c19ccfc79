//go:build tamago && arm

package imx6ul

import (
	"math"
	_ "os/signal" // Relay, called by the interrupt handler
	"runtime/goos"
	"time"
	"unsafe"

	"github.com/usbarmory/tamago/arm"

	"github.com/tamanet/tamanet/kernel/irq"
)

// The GIC's registers (ARM IHI 0048B §4.1.2, §4.1.3; Cortex-A7 TRM Table 8-1), which interrupt_arm.s uses too.
const (
	gicd          = gicBase + 0x1000
	gicdCTLR      = gicd + 0x000
	gicdTYPER     = gicd + 0x004
	gicdIGROUPR   = gicd + 0x080
	gicdISENABLER = gicd + 0x100
	gicdICENABLER = gicd + 0x180
	gicdICPENDR   = gicd + 0x280

	gicc     = gicBase + 0x2000
	giccCTLR = gicc + 0x00
	giccPMR  = gicc + 0x04
	giccIAR  = 0x0c // from gicc
	giccEOIR = 0x10

	firstSpurious = 1020 // interrupt numbers from here on are none (§3.2.5)
	lineTimer     = arm.TIMER_IRQ
)

const (
	// tick is after how long a goroutine that does not stop by itself is asked to
	// yield, as in Go's runtime (sysmon's forcePreemptNS).
	tick = 10 * time.Millisecond
	// maxSleep bounds how far ahead the timer is set, which counts 31 bits: 34 s on
	// QEMU, where it is fastest. A longer sleep wakes in between.
	maxSleep = 30 * time.Second
)

var (
	// wake is set by every device's interrupt and cleared by the idle loop. It makes
	// sure that no interrupt between the scheduler's last look for work and
	// the halt is slept through.
	wake bool

	// idling is set in the idle loop, which sets the timer itself.
	idling bool

	// idleTime is how long the processor was halted, in nanoseconds.
	idleTime int64

	// deadline is when the timer fires, in nanoseconds; 0 when it is not set.
	deadline int64
	// tickCount is the timer's count of a tick, 0 where the runtime has no use for it.
	tickCount uint32
)

// Implemented in cpu_arm.s and interrupt_arm.s.
func enableInterrupts()
func disableInterrupts()
func wfi()
func setTimer(count uint32)
func irqHandler()
func supervisorHandler()

// initInterrupts takes interrupts to kernel/irq. Lines are masked until somebody waits for them.
func initInterrupts() {
	words := uintptr(load32(gicdTYPER)&0x1f) + 1
	for i := range words {
		store32(gicdICENABLER+4*i, ^uint32(0))
		store32(gicdICPENDR+4*i, ^uint32(0))
		store32(gicdIGROUPR+4*i, 0) // secure, which is what we are
	}
	store32(giccPMR, 0xff) // any priority
	store32(giccCTLR, 1)
	store32(gicdCTLR, 1)

	v := arm.SystemVectorTable()
	v.IRQ = irqHandler
	v.Supervisor = supervisorHandler
	v.Undefined = undefinedHandler
	v.PrefetchAbort = prefetchAbortHandler
	v.DataAbort = dataAbortHandler
	// SAFETY: only the address behind a package variable is used, as a stack that grows down.
	setHandlerStack(uintptr(unsafe.Pointer(&handlerStack)) + unsafe.Sizeof(handlerStack))
	cpu.SetVectorTable(v)

	goos.Idle = idle
	unmask(lineTimer)
	enableInterrupts()
}

// unmask enables a line at the distributor. Zeros change nothing, so no lock is needed.
func unmask(l irq.Line) { store32(gicdISENABLER+uintptr(l/32)*4, 1<<(l%32)) }

// init starts the preemption tick, once kernel/irq knows whether there is one.
func init() {
	if irq.Preempt() {
		tickCount = uint32(tick) / nsPerCount
		setTimer(tickCount)
	}
}

// idle halts the processor until a device's interrupt, and not past until (nanotime;
// MaxInt64 or 0 is for ever). The scheduler calls it when no goroutine is ready. It
// returns at once when there was an interrupt since it returned last.
//
// The timer is set lazily: a tick that is running stays so, serves the next busy
// period too, and is set anew only when it comes too late for what is waited for.
func idle(until int64) {
	disableInterrupts()
	idling = true
	start := nanotime()
	for !wake && !irq.Kick() {
		if until != 0 && until != math.MaxInt64 {
			now := nanotime()
			left := min(until-now, int64(maxSleep))
			if left <= 0 {
				break
			}
			if deadline == 0 || deadline > now+left {
				deadline = now + left
				setTimer(uint32(uint64(left)/uint64(nsPerCount)) + 1)
			}
		}
		// It ends with an interrupt also while they are disabled (ARM DDI 0406C
		// §B1.8.13); the handler runs then, and sets wake.
		wfi()
		enableInterrupts()
		disableInterrupts()
	}
	idling = false
	wake = false
	idleTime += nanotime() - start
	if tickCount != 0 && deadline == 0 {
		deadline = nanotime() + int64(tick)
		setTimer(tickCount)
	}
	enableInterrupts()
}

// Interrupt is a level-triggered line of the GIC for a driver: it is masked from when it was
// raised until the next Wait, so that it does not go on interrupting before its
// driver has looked after the device. One goroutine waits for it.
type Interrupt struct{ irq.Line }

// Wait implements nic.Interrupt.
func (i Interrupt) Wait() bool {
	unmask(i.Line)
	return i.Line.Wait()
}

// IdleTime returns how long the processor has been halted since boot.
func IdleTime() time.Duration { return time.Duration(idleTime) }
