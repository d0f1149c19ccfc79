package socket_test

import (
	"testing"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/socket"
)

func open(t testing.TB, task *socket.Task, typ int) int {
	t.Helper()
	fd, err := task.Socket(socket.AF_INET, typ, 0)
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

func lo(port uint16) socket.Sockaddr { return socket.SockaddrInet4([4]byte{127, 0, 0, 1}, port) }

// listener returns a listener on a free port, and its address.
func listener(t testing.TB, task *socket.Task) (int, socket.Sockaddr) {
	t.Helper()
	fd := open(t, task, socket.SOCK_STREAM)
	if err := task.Bind(fd, lo(0)); err != nil {
		t.Fatal(err)
	}
	if err := task.Listen(fd, 8); err != nil {
		t.Fatal(err)
	}
	addr, err := task.GetSockName(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fd, addr
}

// connected returns both ends of a connection.
func connected(t testing.TB, task *socket.Task) (client, server int) {
	t.Helper()
	l, addr := listener(t, task)
	defer task.Close(l)
	client = open(t, task, socket.SOCK_STREAM)
	if err := task.Connect(client, addr); err != nil {
		t.Fatal(err)
	}
	server, _, err := task.Accept(l)
	if err != nil {
		t.Fatal(err)
	}
	return client, server
}

func TestSocketLimit(t *testing.T) {
	task := newTask(t)
	notices := 0
	old := socket.Noticef
	socket.Noticef = func(string, ...any) { notices++ }
	defer func() { socket.Noticef = old }()
	socket.ForgetNotices()

	l, addr := listener(t, task)
	client := open(t, task, socket.SOCK_STREAM)
	socket.SetMaxSockets(socket.Count())
	defer socket.SetMaxSockets(socket.DefaultMaxSockets)
	for range 5 {
		if _, err := task.Socket(socket.AF_INET, socket.SOCK_DGRAM, 0); err != errno.ENFILE {
			t.Fatalf("socket at the limit: %v, want ENFILE", err)
		}
	}
	if notices != 1 {
		t.Errorf("%d notices, want one for all", notices)
	}
	// A connection that cannot be accepted now is not lost.
	if err := task.Connect(client, addr); err != nil {
		t.Fatal(err)
	}
	if _, _, err := task.Accept(l); err != errno.ENFILE {
		t.Fatalf("accept at the limit: %v, want ENFILE", err)
	}
	socket.SetMaxSockets(socket.Count() + 1)
	if _, _, err := task.Accept(l); err != nil {
		t.Errorf("accept with room again: %v", err)
	}
}

func TestDescriptorLimit(t *testing.T) {
	task := newTask(t)
	l, addr := listener(t, task)
	client := open(t, task, socket.SOCK_STREAM)
	if err := task.Connect(client, addr); err != nil {
		t.Fatal(err)
	}
	task.SetNoFile(2)
	before := socket.Count()
	if _, err := task.Socket(socket.AF_INET, socket.SOCK_DGRAM, 0); err != errno.EMFILE {
		t.Errorf("socket: %v, want EMFILE", err)
	}
	if _, err := task.Dup(l); err != errno.EMFILE {
		t.Errorf("dup: %v, want EMFILE", err)
	}
	if _, _, err := task.Accept(l); err != errno.EMFILE {
		t.Errorf("accept: %v, want EMFILE", err)
	}
	if socket.Count() != before {
		t.Errorf("%d sockets more than before", socket.Count()-before)
	}
	task.SetNoFile(3)
	if _, _, err := task.Accept(l); err != nil {
		t.Errorf("the connection was lost: %v", err)
	}
}

func TestNumberIsNotReusedWhileACallIsInside(t *testing.T) {
	task := newTask(t)
	client, _ := connected(t, task)
	dup, err := task.Dup(client)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan error)
	inside := make(chan struct{})
	remove := socket.AddSecurity(&atRecv{enter: func() { close(inside) }})
	go func() {
		_, err := task.Recv(client, make([]byte, 1), 0)
		got <- err
	}()
	<-inside
	remove()
	if err := task.Close(client); err != nil {
		t.Fatal(err)
	}
	if fd := open(t, task, socket.SOCK_DGRAM); fd == client {
		t.Errorf("descriptor %d is given out again with a call inside", fd)
	}
	// The duplicate keeps the socket open, so the call goes on until it ends.
	if err := task.Close(dup); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != errno.EBADF {
		t.Errorf("the call returned %v, want EBADF", err)
	}
	// The slot is free once the call has left it.
	for {
		fd := open(t, task, socket.SOCK_DGRAM)
		if fd == client {
			break
		}
		if fd > 500 {
			t.Fatalf("descriptor %d never came back", client)
		}
	}
}

// atRecv calls enter when a receive is about to begin.
type atRecv struct {
	socket.AllowAll
	enter func()
}

func (h *atRecv) SocketRecvMsg(*socket.Socket, *socket.Msghdr, int, int) error {
	h.enter()
	return nil
}

func TestFlagsOfDescriptors(t *testing.T) {
	task := newTask(t)
	fd, err := task.Socket(socket.AF_INET, socket.SOCK_DGRAM|socket.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if on, _ := task.Cloexec(fd); !on {
		t.Error("SOCK_CLOEXEC was lost")
	}
	dup, err := task.Dup(fd)
	if err != nil {
		t.Fatal(err)
	}
	if on, _ := task.Cloexec(dup); on {
		t.Error("a duplicate has close-on-exec")
	}
	if err := task.SetCloexec(dup, true); err != nil {
		t.Fatal(err)
	}
	one := 1
	if err := task.Ioctl(fd, socket.FIONBIO, &one); err != nil {
		t.Fatal(err)
	}
	if flags, _ := task.GetFlags(dup); flags != socket.O_RDWR|socket.O_NONBLOCK {
		t.Errorf("flags of the duplicate are %#o", flags)
	}
}
