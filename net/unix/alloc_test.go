//go:build !race

package unix_test

import "testing"

// TestSteadyTrafficDoesNotAllocate counts allocations of a send and receive.
func TestSteadyTrafficDoesNotAllocate(t *testing.T) {
	for name, typ := range types {
		t.Run(name, func(t *testing.T) {
			task := newTask(t)
			a, b := pair(t, task, typ)
			buf, in := make([]byte, 64), make([]byte, 64)
			n := testing.AllocsPerRun(1000, func() {
				task.Send(a, buf, 0)
				task.Recv(b, in, 0)
			})
			if n >= 1 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}
