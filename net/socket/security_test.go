package socket_test

import (
	"testing"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/socket"
)

// deny refuses the one hook that it is named after.
type deny string

func (d deny) at(hook string) error {
	if string(d) == hook {
		return errno.EACCES
	}
	return nil
}

func (d deny) SocketCreate(int, int, int, bool) error { return d.at("create") }
func (d deny) SocketPostCreate(*socket.Socket, int, bool) error {
	return d.at("post create")
}
func (d deny) SocketBind(*socket.Socket, socket.Sockaddr) error    { return d.at("bind") }
func (d deny) SocketConnect(*socket.Socket, socket.Sockaddr) error { return d.at("connect") }
func (d deny) SocketListen(*socket.Socket, int) error              { return d.at("listen") }
func (d deny) SocketAccept(_, _ *socket.Socket) error              { return d.at("accept") }
func (d deny) SocketSendMsg(*socket.Socket, *socket.Msghdr, int) error {
	return d.at("sendmsg")
}
func (d deny) SocketRecvMsg(*socket.Socket, *socket.Msghdr, int, int) error {
	return d.at("recvmsg")
}
func (d deny) SocketGetName(*socket.Socket, socket.NameOf) error { return d.at("getname") }
func (d deny) SocketSetSockOpt(*socket.Socket, int, int) error   { return d.at("setsockopt") }
func (d deny) SocketGetSockOpt(*socket.Socket, int, int) error   { return d.at("getsockopt") }
func (d deny) SocketShutdown(*socket.Socket, int) error          { return d.at("shutdown") }
func (d deny) SocketIoctl(*socket.Socket, uint, any) error       { return d.at("ioctl") }

func TestEveryHookRefuses(t *testing.T) {
	task := newTask(t)
	l, addr := listener(t, task)
	client := open(t, task, socket.SOCK_STREAM)
	if err := task.Connect(client, addr); err != nil {
		t.Fatal(err)
	}
	fresh := open(t, task, socket.SOCK_STREAM)
	n := 0
	for hook, call := range map[string]func() error{
		"create":      func() error { return second(task.Socket(socket.AF_INET, socket.SOCK_DGRAM, 0)) },
		"post create": func() error { return second(task.Socket(socket.AF_INET, socket.SOCK_DGRAM, 0)) },
		"bind":        func() error { return task.Bind(fresh, lo(0)) },
		"connect":     func() error { return task.Connect(fresh, addr) },
		"listen":      func() error { return task.Listen(fresh, 1) },
		"accept":      func() error { return third(task.Accept(l)) },
		"sendmsg":     func() error { return second(task.Send(client, []byte("x"), 0)) },
		"recvmsg":     func() error { return second(task.Recv(client, make([]byte, 1), socket.MSG_DONTWAIT)) },
		"getname":     func() error { return second(task.GetSockName(client)) },
		"setsockopt":  func() error { return task.SetSockOptInt(client, socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1) },
		"getsockopt":  func() error { return second(task.GetSockOptInt(client, socket.SOL_SOCKET, socket.SO_KEEPALIVE)) },
		"shutdown":    func() error { return task.Shutdown(client, socket.SHUT_RD) },
		"ioctl":       func() error { return task.Ioctl(client, socket.FIONREAD, &n) },
	} {
		before := socket.Count()
		remove := socket.AddSecurity(deny(hook))
		if err := call(); err != errno.EACCES {
			t.Errorf("%s: %v, want EACCES", hook, err)
		}
		remove()
		if socket.Count() != before {
			t.Errorf("%s: %d sockets are left", hook, socket.Count()-before)
		}
	}
	// The refused accept has not lost the connection.
	if _, _, err := task.Accept(l); err != nil {
		t.Errorf("accept after: %v", err)
	}
}

func TestFirstRefusalDecides(t *testing.T) {
	task := newTask(t)
	removeAll := socket.AddSecurity(socket.AllowAll{})
	defer removeAll()
	remove := socket.AddSecurity(deny("create"))
	if _, err := task.Socket(socket.AF_INET, socket.SOCK_DGRAM, 0); err != errno.EACCES {
		t.Errorf("%v, want EACCES", err)
	}
	remove()
	remove()
	if _, err := task.Socket(socket.AF_INET, socket.SOCK_DGRAM, 0); err != nil {
		t.Errorf("after removing: %v", err)
	}
}

func TestPrivileges(t *testing.T) {
	task := newTask(t)
	task.Caps &^= socket.CAP_NET_BIND_SERVICE
	fd := open(t, task, socket.SOCK_STREAM)
	if err := task.Bind(fd, lo(80)); err != errno.EACCES {
		t.Errorf("port 80: %v, want EACCES", err)
	}
	task.Net.Sysctl.UnprivilegedPortStart.Store(80)
	if err := task.Bind(fd, lo(80)); err != nil {
		t.Errorf("port 80 with the sysctl: %v", err)
	}
}
