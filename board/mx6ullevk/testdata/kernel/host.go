//go:build tamago && arm

package main

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"unsafe"

	"github.com/tamanet/tamanet/kernel/boot"
)

// Semihosting operations on the host's files (ARM Semihosting §5).
const (
	sysOpen   = 0x01
	sysRead   = 0x06
	sysRemove = 0x0e
	sysRename = 0x0f
	sysSystem = 0x12
)

// semihost asks the emulator. Implemented in assembly.
//
//go:noescape
func semihost(op uint32, block unsafe.Pointer) int32

// host tries to get at the host's files, by the path in the command line.
func host(string) {
	path, _ := boot.Lookup("path")
	str := func(s string) (addr, n uint32) {
		b := append([]byte(s), 0)
		return uint32(uintptr(unsafe.Pointer(&b[0]))), uint32(len(s))
	}
	p, n := str(path)
	for mode := range uint32(12) {
		fd := semihost(sysOpen, unsafe.Pointer(&[3]uint32{p, mode, n}))
		buf := make([]byte, 64)
		semihost(sysRead, unsafe.Pointer(&[3]uint32{uint32(fd), uint32(uintptr(unsafe.Pointer(&buf[0]))), uint32(len(buf))}))
		if bytes.Contains(buf, []byte("secret")) {
			fmt.Printf("host: read %q\n", buf)
		}
	}
	to, m := str(path + ".renamed")
	semihost(sysRename, unsafe.Pointer(&[4]uint32{p, n, to, m}))
	command, k := str("touch " + path + ".system")
	semihost(sysSystem, unsafe.Pointer(&[2]uint32{command, k}))
	semihost(sysRemove, unsafe.Pointer(&[2]uint32{p, n}))
	fmt.Println("host: tried")
}

// random draws random numbers in several sizes, and prints the first.
func random(string) {
	first := make([]byte, 32)
	rand.Read(first)
	fmt.Printf("random: %x\n", first)
	seen := make(map[[16]byte]bool)
	buf := make([]byte, 100_000)
	rand.Read(buf)
	for i := 0; i+16 <= len(buf); i += 16 {
		w := [16]byte(buf[i:])
		if seen[w] {
			fmt.Printf("random: %x came twice\n", w)
			os.Exit(1)
		}
		seen[w] = true
	}
}
