//go:build !race

package udp_test

import (
	"testing"

	"github.com/tamanet/tamanet/net/socket"
)

// TestLoopbackAllocatesNothing sends to the peer, to an address, and to two
// addresses in turn, and receives.
func TestLoopbackAllocatesNothing(t *testing.T) {
	for _, family := range []int{socket.AF_INET, socket.AF_INET6} {
		task := newTask(t)
		from, _ := bound(t, task, family)
		one, oneName := bound(t, task, family)
		two, twoName := bound(t, task, family)
		buf := make([]byte, 64)
		roundTrip := func(to int, name *socket.Sockaddr) {
			var err error
			if name == nil {
				_, err = task.Send(from, buf, 0)
			} else {
				_, err = task.SendTo(from, buf, 0, *name)
			}
			if err != nil {
				t.Fatal(err)
			}
			if n, _, err := task.RecvFrom(to, buf, 0); n != len(buf) || err != nil {
				t.Fatalf("received %d, %v", n, err)
			}
		}
		check := func(what string, f func()) {
			if n := testing.AllocsPerRun(500, f); n != 0 {
				t.Errorf("family %d: %v allocations %s, want none", family, n, what)
			}
		}
		check("to an address", func() { roundTrip(one, &oneName) })
		check("to two in turn", func() { roundTrip(one, &oneName); roundTrip(two, &twoName) })
		if err := task.Connect(from, oneName); err != nil {
			t.Fatal(err)
		}
		check("to the peer", func() { roundTrip(one, nil) })
	}
}
