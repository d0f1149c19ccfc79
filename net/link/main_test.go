package link_test

import (
	"fmt"
	"os"
	"testing"

	"gvisor.dev/gvisor/pkg/refs"
)

// TestMain runs every test with gVisor's leak check: each packet buffer and
// each chunk of memory that was taken must have been released in the end.
func TestMain(m *testing.M) {
	refs.SetLeakMode(refs.LeaksPanic)
	code := m.Run()
	func() {
		defer func() {
			if leak := recover(); leak != nil {
				fmt.Fprintln(os.Stderr, "FAIL:", leak)
				code = 1
			}
		}()
		refs.DoRepeatedLeakCheck()
	}()
	os.Exit(code)
}

// withoutLeakCheck is for measuring: the check allocates. Nothing may be alive when it is
// called, nor in the end.
func withoutLeakCheck(tb testing.TB) {
	refs.SetLeakMode(refs.NoLeakChecking)
	tb.Cleanup(func() { refs.SetLeakMode(refs.LeaksPanic) })
}
