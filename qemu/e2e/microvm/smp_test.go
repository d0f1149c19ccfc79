package microvm

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tamanet/tamanet/qemu"
)

func TestProcessorsRunAtOnce(t *testing.T) {
	for _, cpus := range []int{1, 2, 4, 8, 16} {
		t.Run(fmt.Sprint(cpus), func(t *testing.T) {
			console := runBoard(t, "parallel", 0, qemu.Config{CPUs: cpus})
			if got, want := value(t, console, "parallel"), fmt.Sprintf("%d processors met", cpus); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
}

// TestStress has collector, channels, locks, timers and clock at work on several processors.
func TestStress(t *testing.T) {
	for _, cpus := range []int{2, 4} {
		t.Run(fmt.Sprintf("%d CPUs", cpus), func(t *testing.T) {
			console := runBoard(t, "stress:5s", 0, qemu.Config{CPUs: cpus})
			if value(t, console, "stress") == "" || !strings.Contains(console, "stress: done") {
				t.Error("it did not get to its end")
			}
		})
	}
}

// What ends a program must do so on a processor that the machine did not boot with.
func TestEndsOnAnotherProcessor(t *testing.T) {
	for _, tt := range []struct {
		do    string
		code  int
		wants []string
	}{
		{"exitOn:1", 42, nil},
		{"panicOn:1", 2, []string{"panic: on processor 1", "main.panicOn"}},
		{"fatalOn:1", 2, []string{"exception: invalid opcode", "main.invalidOpcode"}},
		{"faultOn:1", 0, []string{"fault: recovered on processor 1"}},
	} {
		t.Run(tt.do, func(t *testing.T) {
			console := runBoard(t, tt.do, tt.code, qemu.Config{CPUs: 2})
			for _, want := range tt.wants {
				if !strings.Contains(console, want) {
					t.Errorf("no %q on the console", want)
				}
			}
		})
	}
}

// TestEndsOnAllProcessors has all processors end the program at once. They must not stop each other, nor
// may the first of them boot again.
func TestEndsOnAllProcessors(t *testing.T) {
	for i := range 6 {
		runBoard(t, "exitAll", 42, qemu.Config{CPUs: 2 + i%3})
	}
}

// TestPreemptsLoopsWithoutCalls has a collector that waits for goroutines which never call anything.
func TestPreemptsLoopsWithoutCalls(t *testing.T) {
	for _, tt := range []struct {
		cpus, collections int
		cpu               string
	}{{1, 3, "max"}, {2, 10, "max"}, {2, 10, "max,-xsave"}, {4, 10, "max"}} {
		t.Run(fmt.Sprintf("%d CPUs %s", tt.cpus, tt.cpu), func(t *testing.T) {
			console := runBoard(t, fmt.Sprintf("preempt:%d", tt.collections), 0, qemu.Config{CPUs: tt.cpus, CPU: tt.cpu})
			if !strings.Contains(console, "preempt: done") {
				t.Error("it did not get to its end")
			}
			t.Log(value(t, console, "preempt"))
		})
	}
}
