package socket_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/socket"
)

// What sockets hold is bounded: past it no more are made, nothing is lost,
// and once it is read there is room again.
func TestMemoryLimit(t *testing.T) {
	task := newTask(t)
	l, addr := listener(t, task)
	waiting := open(t, task, socket.SOCK_STREAM)
	if err := task.Connect(waiting, addr); err != nil {
		t.Fatal(err)
	}
	client, server := connected(t, task)
	if m := socket.Memory(task.Net); m.Bytes != 0 || m.Pressure {
		t.Fatalf("nothing was sent, and %+v", m)
	}

	const size = 64 << 10
	task.Net.Sysctl.MemPressure.Store(size / 4)
	task.Net.Sysctl.MemMax.Store(size / 2)
	if n, err := task.Send(client, make([]byte, size), 0); n != size || err != nil {
		t.Fatalf("sent %d, %v", n, err)
	}
	if n, err := task.Recv(server, make([]byte, size), socket.MSG_PEEK|socket.MSG_WAITALL); n == 0 || err != nil {
		t.Fatalf("peeked %d, %v", n, err)
	}
	for socket.Memory(task.Net).Bytes <= size/2 { // until it is all there
		if _, err := task.Poll([]socket.PollFd{{Fd: server, Events: socket.POLLIN}}, socket.Forever); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := task.Socket(socket.AF_INET, socket.SOCK_DGRAM, 0); err != errno.ENOBUFS {
		t.Errorf("socket: %v, want ENOBUFS", err)
	}
	if _, _, err := task.Accept(l); err != errno.ENOBUFS {
		t.Errorf("accept: %v, want ENOBUFS", err)
	}
	if m := socket.Memory(task.Net); !m.Pressure || m.Pressures != 1 || m.Refused != 2 {
		t.Errorf("%+v; want pressure, entered once, and 2 refused", m)
	}

	if n, err := task.Recv(server, make([]byte, size), socket.MSG_WAITALL); n != size || err != nil {
		t.Fatalf("received %d, %v", n, err)
	}
	if m := socket.Memory(task.Net); m.Pressure || m.Bytes != 0 {
		t.Errorf("all was read, and %+v", m)
	}
	if _, _, err := task.Accept(l); err != nil {
		t.Errorf("accept with room again: %v", err)
	}
}

func TestProtocols(t *testing.T) {
	task := newTask(t)
	count := func(name string) int {
		for _, p := range socket.Protocols() {
			if p.Name == name {
				return p.Sockets
			}
		}
		t.Fatalf("no protocol %s", name)
		return 0
	}
	before := count("TCP")
	open(t, task, socket.SOCK_STREAM)
	if n := count("TCP") - before; n != 1 {
		t.Errorf("%d more sockets, want 1", n)
	}

	var b strings.Builder
	if err := socket.WriteProtocols(&b); err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(b.String()) {
		names = append(names, strings.Fields(line)[0])
	}
	for _, want := range []string{"PACKET", "PING", "PINGv6", "RAW", "RAWv6", "TCP", "TCPv6", "UDP", "UDPv6", "UNIX", "UNIX-STREAM"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is missing:\n%s", want, b.String())
		}
	}
}
