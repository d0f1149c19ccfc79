//go:build tamago && arm

package imx6ul

import "unsafe"

// Semihosting operations (ARM Semihosting §5).
const (
	sysTime         = 0x11
	sysGetCmdline   = 0x15
	sysExitExtended = 0x20

	// stoppedApplicationExit is the reason ADP_Stopped_ApplicationExit.
	stoppedApplicationExit = 0x20026
)

// semihost asks the emulator, and returns its result. Where there is none, the
// supervisor vector answers -1. Implemented in cpu_arm.s.
//
//go:noescape
func semihost(op uint32, block unsafe.Pointer) int32

// semihostingCmdline returns QEMU's command line, "" when there is none.
func semihostingCmdline() string {
	if native() {
		return ""
	}
	buf := make([]byte, 4096)
	block := [2]uint32{uint32(uintptr(unsafe.Pointer(&buf[0]))), uint32(len(buf))}
	// SAFETY: the block names buf, which is kept below; memory is mapped one to one.
	if semihost(sysGetCmdline, unsafe.Pointer(&block)) != 0 || block[1] > uint32(len(buf)) {
		return ""
	}
	n := 0
	for n < int(block[1]) && buf[n] != 0 {
		n++
	}
	return string(buf[:n])
}

// semihostingTime returns the seconds since 1970, 0 when nobody tells.
func semihostingTime() uint32 {
	if native() {
		return 0
	}
	if t := semihost(sysTime, nil); t != -1 {
		return uint32(t)
	}
	return 0
}

// semihostingExit ends the emulator with a code; it returns where there is none.
//
//go:nosplit
func semihostingExit(code int32) {
	block := [2]uint32{stoppedApplicationExit, uint32(code)}
	// SAFETY: memory is mapped one to one; the block is only read.
	semihost(sysExitExtended, unsafe.Pointer(&block))
}
