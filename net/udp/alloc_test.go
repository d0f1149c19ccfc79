//go:build !race

package udp_test

import (
	"testing"

	"github.com/tamanet/tamanet/net/families"
	"github.com/tamanet/tamanet/net/internal/leaktest"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/socket"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// TestSendAllocatesNothingOfItsOwn compares a send that names its destination
// with one to the peer: an address must cost nothing.
func TestSendAllocatesNothingOfItsOwn(t *testing.T) {
	if err := families.Register(); err != nil {
		t.Fatal(err)
	}
	st, err := netdev.New(netdev.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	task := socket.NewTask(st)
	defer task.Exit()
	from, to := bound(t, task), bound(t, task)
	addr, err := task.GetSockName(to)
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64)
	roundTrip := func(send func() (int, error)) float64 {
		return testing.AllocsPerRun(200, func() {
			if _, err := send(); err != nil {
				t.Fatal(err)
			}
			if n, _, err := task.RecvFrom(to, buf, 0); n != len(buf) || err != nil {
				t.Fatalf("received %d, %v", n, err)
			}
		})
	}
	named := roundTrip(func() (int, error) { return task.SendTo(from, buf, 0, addr) })
	if err := task.Connect(from, addr); err != nil {
		t.Fatal(err)
	}
	connected := roundTrip(func() (int, error) { return task.Send(from, buf, 0) })
	t.Logf("%v allocations to the peer, all in gVisor; %v to an address", connected, named)
	if connected > 7 {
		t.Errorf("%v allocations to the peer, want gVisor's 7 at most", connected)
	}
	// gVisor looks the route up for each, which costs it some.
	if named > 2*connected {
		t.Errorf("%v allocations to an address", named)
	}
}

func bound(t *testing.T, task *socket.Task) int {
	t.Helper()
	fd, err := task.Socket(socket.AF_INET, socket.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := task.Bind(fd, socket.SockaddrInet4([4]byte{127, 0, 0, 1}, 0)); err != nil {
		t.Fatal(err)
	}
	return fd
}
