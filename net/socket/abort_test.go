package socket_test

import (
	"testing"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/socket"
)

func TestAbortEndsAConnectionFromOutside(t *testing.T) {
	task := newTask(t)
	client, server := connected(t, task)
	name, err := task.GetSockName(client)
	if err != nil {
		t.Fatal(err)
	}
	received := make(chan error, 1)
	go func() {
		_, err := task.Recv(client, make([]byte, 1), 0)
		received <- err
	}()
	n, err := task.AbortSockets(func(i socket.Info) bool { return i.Protocol == "TCP" && i.Local == name })
	if n != 1 || err != nil {
		t.Fatalf("aborted %d, %v; want the one", n, err)
	}
	if err := <-received; err != errno.ECONNABORTED {
		t.Errorf("the receive inside: %v, want ECONNABORTED", err)
	}
	if _, err := task.Recv(server, make([]byte, 1), 0); err != errno.ECONNRESET {
		t.Errorf("the peer receives: %v, want ECONNRESET", err)
	}
	s, err := task.SocketOf(client)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Abort(); err != errno.ENOENT {
		t.Errorf("abort of what is over: %v, want ENOENT", err)
	}
}

func TestAbortEndsAListener(t *testing.T) {
	task := newTask(t)
	l, addr := listener(t, task)
	accepted := make(chan error, 1)
	go func() {
		_, _, err := task.Accept(l)
		accepted <- err
	}()
	if n, err := task.AbortSockets(func(i socket.Info) bool { return i.State == socket.TCP_LISTEN && i.Local == addr }); n != 1 || err != nil {
		t.Fatalf("aborted %d, %v; want the one", n, err)
	}
	if err := <-accepted; err == nil {
		t.Error("the accept inside returned a connection")
	}
	if err := task.Connect(open(t, task, socket.SOCK_STREAM), addr); err != errno.ECONNREFUSED {
		t.Errorf("connect: %v, want ECONNREFUSED", err)
	}
}

func TestAbortDissolvesADatagramSocket(t *testing.T) {
	task := newTask(t)
	fd := open(t, task, socket.SOCK_DGRAM)
	if err := task.Connect(fd, lo(9)); err != nil {
		t.Fatal(err)
	}
	s, err := task.SocketOf(fd)
	if err != nil {
		t.Fatal(err)
	}
	received := make(chan error, 1)
	go func() {
		_, err := task.Recv(fd, make([]byte, 1), 0)
		received <- err
	}()
	if err := s.Abort(); err != nil {
		t.Fatal(err)
	}
	if err := <-received; err != errno.ECONNABORTED {
		t.Errorf("the receive inside: %v, want ECONNABORTED", err)
	}
	if _, err := task.GetPeerName(fd); err != errno.ENOTCONN {
		t.Errorf("the peer's name: %v, want ENOTCONN", err)
	}
}

func TestAbortNeedsThePrivilege(t *testing.T) {
	task := newTask(t)
	task.Caps &^= socket.CAP_NET_ADMIN
	if _, err := task.AbortSockets(func(socket.Info) bool { return true }); err != errno.EPERM {
		t.Errorf("%v, want EPERM", err)
	}
	fd, err := task.Socket(socket.AF_UNIX, socket.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	s, _ := task.SocketOf(fd)
	if err := s.Abort(); err != errno.EOPNOTSUPP {
		t.Errorf("AF_UNIX: %v, want EOPNOTSUPP", err)
	}
}
