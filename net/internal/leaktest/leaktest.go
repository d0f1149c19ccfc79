// Package leaktest fails a package's tests when they leave something behind:
// a goroutine, an open socket, or a gVisor packet that nobody released.
package leaktest

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/refs"

	"github.com/tamanet/tamanet/net/socket"
)

// patience is how long what ends in the background is waited for.
const patience = 5 * time.Second

// Main runs the tests of a package, for its TestMain, and exits.
func Main(m *testing.M) {
	refs.SetLeakMode(refs.LeaksPanic)
	before := goroutines()
	code := m.Run()
	if code == 0 {
		if err := check(before); err != nil {
			fmt.Fprintln(os.Stderr, "leaktest:", err)
			code = 1
		}
	}
	if code == 0 {
		// Prints what leaked, with the stacks that held it, and panics.
		refs.DoRepeatedLeakCheck()
	}
	os.Exit(code)
}

func check(before map[string]bool) error {
	if n := socket.Count(); n != 0 {
		return fmt.Errorf("%d sockets are open", n)
	}
	deadline := time.Now().Add(patience)
	for {
		left := leaked(before)
		if len(left) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d goroutines are left:\n\n%s", len(left), strings.Join(left, "\n\n"))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// leaked returns the stacks of goroutines that were not there before.
func leaked(before map[string]bool) []string {
	var left []string
	for _, g := range stacks() {
		// The fuzzing engine leaves the signal loop, which has no end.
		if !before[id(g)] && !strings.Contains(g, "leaktest.stacks") && !strings.Contains(g, "os/signal.loop") {
			left = append(left, g)
		}
	}
	return left
}

func goroutines() map[string]bool {
	all := map[string]bool{}
	for _, g := range stacks() {
		all[id(g)] = true
	}
	return all
}

// id is "goroutine 7".
func id(stack string) string {
	name, _, _ := strings.Cut(stack, " [")
	return name
}

func stacks() []string {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	return strings.Split(strings.TrimSpace(string(buf)), "\n\n")
}
