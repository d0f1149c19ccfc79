//go:build tamago

// Package testkernel has what the kernels of the boards' tests share.
package testkernel

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
)

type node struct {
	big  [100]int
	next *node
}

// faults are mistakes that Go turns into run-time panics, by what the error says.
var faults = []struct {
	name, want string
	do         func()
}{
	{"nil pointer, read", "nil pointer dereference", func() { var p *node; sink = p.big[99] }},
	{"nil pointer, write", "nil pointer dereference", func() { var p *node; p.big[0] = 1 }},
	{"nil function", "nil pointer dereference", func() { var f func(); f() }},
	{"nil interface", "nil pointer dereference", func() { var e error; sinkString = e.Error() }},
	{"integer divide by zero", "divide by zero", func() { sink = 1 / zero }},
}

var (
	sink, zero int
	sinkString string
)

// Fault makes mistakes that a program can recover from, many times each and deep in the stack. It ends the
// machine with code 1 where one does not become a panic, and prints "fault: all recovered" when all have.
func Fault(string) {
	if _, ok := any(syscall.Signal(11)).(interface{ FaultHandler() uintptr }); !ok {
		fmt.Println("unsupported: the runtime cannot recover from faults")
		return
	}
	for _, f := range faults {
		for range 1000 {
			err := deep(50, f.do)
			var re runtime.Error
			if !errors.As(err, &re) || !strings.Contains(re.Error(), f.want) {
				fmt.Printf("fault: %s: recovered %v, want %q\n", f.name, err, f.want)
				os.Exit(1)
			}
		}
		runtime.GC()
		fmt.Println("fault:", f.name, "recovered")
	}
	fmt.Println("fault: all recovered")
}

// deep calls f below n frames and returns what it panicked with.
func deep(n int, f func()) (err error) {
	if n > 0 {
		return deep(n-1, f)
	}
	defer func() {
		if v := recover(); v != nil {
			err = v.(error)
		}
	}()
	f()
	return nil
}
