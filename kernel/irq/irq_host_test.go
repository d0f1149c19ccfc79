//go:build !tamago

package irq

import "testing"

func TestRaiseOnAHost(t *testing.T) {
	lines[20].closed.Store(false)
	before := Line(20).Count()
	Raise(20)
	Raise(MaxLines)
	if !waitFor(t, 20) || Line(20).Count() != before+1 {
		t.Error("a host's Raise does not raise")
	}
}
