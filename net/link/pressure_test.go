package link_test

import (
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/drivers/virtionet/virtionettest"
	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/inet"
	"github.com/tamanet/tamanet/net/internal/sockettest"
	"github.com/tamanet/tamanet/net/link"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/socket"
)

// TestTCPIsNotRefused has many connections send over a slow wire, more than the queue holds of other packets: no segment
// is lost on this side, the writers wait.
func TestTCPIsNotRefused(t *testing.T) {
	const connections, queue = 8, 400
	a := newHostWith(t, netip.MustParseAddr("10.9.0.1"), 1500, 16, 0, link.Options{QueueLen: queue})
	b := newHost(t, 2, 1500, 256)
	frames := 0
	slow := func(frame []byte, send func([]byte) bool) {
		if frames++; frames%8 == 0 {
			time.Sleep(100 * time.Microsecond)
		}
		send(frame)
	}
	a.net.Start(func(f []byte) { slow(f, b.net.DeliverWait) })
	b.net.Start(func(f []byte) { a.net.DeliverWait(f) })
	t.Cleanup(func() {
		a.s.Destroy()
		b.s.Destroy()
		a.net.Stop(t)
		b.net.Stop(t)
	})
	var wg sync.WaitGroup
	for i := range connections {
		wg.Go(func() { transferTo(t, a, b, uint16(80+i), 1<<20) })
	}
	wg.Wait()
	sent := a.s.Stats().TCP
	if s := a.ep.Stats(); s.TxQueued < queue || s.TxQueueFull != 0 || sent.SegmentSendErrors.Value() != 0 {
		t.Errorf("%d segments could not be sent, counters %+v", sent.SegmentSendErrors.Value(), s)
	}
}

// stalled is a stack over a device that takes frames when the test starts it.
func stalled(t *testing.T, o link.Options) (*socket.Task, *link.Endpoint, *virtionettest.Net) {
	t.Helper()
	n := virtionettest.New(nic.MAC{2, 0, 0, 0, 0, 1}, 1500, 16)
	o.Logf = t.Logf
	e, err := link.New(n.NewDriver(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Stop(t) }) // once the network has gone
	task := sockettest.NewTask(t)
	st := task.Net
	index, err := st.AddInterface(netdev.InterfaceConfig{Name: "eth0", Link: e, Addresses: []netip.Prefix{netip.MustParsePrefix("10.9.0.1/24")}})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.AddNeighbor(netdev.Neighbor{Addr: netip.MustParseAddr("10.9.0.2"), HardwareAddr: []byte{2, 0, 0, 0, 0, 2}, Interface: index}); err != nil {
		t.Fatal(err)
	}
	return task, e, n
}

// openUDP returns a socket whose datagrams go to where nobody has to be.
func openUDP(t *testing.T, task *socket.Task, flags int) int {
	t.Helper()
	fd, err := task.Socket(socket.AF_INET, socket.SOCK_DGRAM|flags, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := task.Connect(fd, socket.SockaddrFrom(netip.MustParseAddrPort("10.9.0.2:9"))); err != nil {
		t.Fatal(err)
	}
	return fd
}

// isTestDatagram tells a test's datagram from what else a stack sends.
func isTestDatagram(frame []byte) bool {
	return len(frame) > 42 && frame[12] == 8 && frame[13] == 0 && frame[23] == 17 && frame[37] == 9
}

// TestFullDeviceBlocksUDPWriters: a writer whose packets do not leave is told EAGAIN, or waits, before any of them is
// lost; all that it was told were sent leave once the device goes on (Linux: sock_alloc_send_skb, sk_wmem_alloc).
func TestFullDeviceBlocksUDPWriters(t *testing.T) {
	task, e, n := stalled(t, link.Options{})
	fd := openUDP(t, task, socket.SOCK_NONBLOCK)
	sent := 0
	for {
		_, err := task.Send(fd, make([]byte, 1000), 0)
		if errors.Is(err, errno.EAGAIN) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if sent++; sent > 10000 {
			t.Fatal("no EAGAIN after 10000 datagrams to a device that takes none")
		}
	}
	if s := e.Stats(); s.TxQueued == 0 || s.TxQueueFull != 0 {
		t.Errorf("after EAGAIN: %+v", s)
	}
	p := []socket.PollFd{{Fd: fd, Events: socket.POLLOUT}}
	if n, err := task.Poll(p, 0); n != 0 || err != nil {
		t.Errorf("Poll = %d, %v, want nothing writable", n, err)
	}
	// Another writer waits.
	blocked := make(chan error, 1)
	go func() {
		fd := openUDP(t, task, 0)
		for range 2 * sent {
			if _, err := task.Send(fd, make([]byte, 1000), 0); err != nil {
				blocked <- err
				return
			}
		}
		blocked <- nil
	}()
	var arrived atomic.Int32
	n.Start(func(f []byte) {
		if isTestDatagram(f) {
			arrived.Add(1)
		}
	})
	// The device was told of its frames before it was started, and looks at the next notice.
	n.Kick()
	if n, err := task.Poll(p, 30*time.Second); n != 1 || err != nil {
		t.Fatalf("Poll = %d, %v, want the socket writable", n, err)
	}
	if err := <-blocked; err != nil {
		t.Errorf("the writer that waited: %v", err)
	}
	waitFor(t, "all datagrams", func() bool { return int(arrived.Load()) >= 3*sent })
	if s := e.Stats(); s.TxQueueFull != 0 || int(arrived.Load()) != 3*sent {
		t.Errorf("%d of %d datagrams left, counters %+v", arrived.Load(), 3*sent, s)
	}
}

// TestFullQueueIsToldToUDP: what no socket's buffer holds back fails with ENOBUFS for a writer that has asked to
// be told (IP_RECVERR), and is counted always (Linux: udp_send_skb).
func TestFullQueueIsToldToUDP(t *testing.T) {
	task, e, _ := stalled(t, link.Options{QueueLen: 10})
	quiet, told := openUDP(t, task, socket.SOCK_NONBLOCK), openUDP(t, task, socket.SOCK_NONBLOCK)
	if err := task.SetSockOptInt(told, socket.SOL_IP, inet.IP_RECVERR, 1); err != nil {
		t.Fatal(err)
	}
	for range 40 {
		if _, err := task.Send(quiet, make([]byte, 10), 0); err != nil {
			t.Fatal(err)
		}
	}
	full := e.Stats().TxQueueFull
	if full == 0 {
		t.Fatal("40 datagrams fit into a ring of 16 descriptors and a queue of 10")
	}
	if _, err := task.Send(told, make([]byte, 10), 0); !errors.Is(err, errno.ENOBUFS) {
		t.Errorf("with IP_RECVERR: %v, want ENOBUFS", err)
	}
	if n := e.Stats().TxQueueFull; n != full+1 {
		t.Errorf("%d packets are counted, want %d", n, full+1)
	}
}
