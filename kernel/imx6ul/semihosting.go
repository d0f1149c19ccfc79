//go:build tamago && arm

package imx6ul

import "unsafe"

// Semihosting operations (ARM Semihosting §5).
const (
	sysOpen         = 0x01
	sysRead         = 0x06
	sysTime         = 0x11
	sysGetCmdline   = 0x15
	sysExitExtended = 0x20

	openRead = 1 // "rb"

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

// urandom is the host's file, with the zero byte that ends its name.
var urandom = [...]byte{'/', 'd', 'e', 'v', '/', 'u', 'r', 'a', 'n', 'd', 'o', 'm', 0}

// urandomHandle is the host's open file, plus 1; 0 when it is not open yet.
var urandomHandle uint32

// hostRandom fills b with the host's random numbers, and says whether there are any.
func hostRandom(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	if urandomHandle == 0 {
		// SAFETY: as below.
		block := [3]uint32{uint32(uintptr(unsafe.Pointer(&urandom))), openRead, uint32(len(urandom) - 1)}
		h := semihost(sysOpen, unsafe.Pointer(&block))
		if h == -1 {
			return false
		}
		urandomHandle = uint32(h) + 1
	}
	// SAFETY: memory is mapped one to one, and the emulator is done with b when it returns.
	block := [3]uint32{urandomHandle - 1, uint32(uintptr(unsafe.Pointer(unsafe.SliceData(b)))), uint32(len(b))}
	// What it returns is how many bytes are missing.
	return semihost(sysRead, unsafe.Pointer(&block)) == 0
}
