package socket_test

import (
	"testing"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/socket"
)

// TestSubsystemIoctls holds that bridges, VLANs and DLCIs are asked of the
// loader, and are ENOPKG until a hook is there.
func TestSubsystemIoctls(t *testing.T) {
	task := newTask(t)
	fd := open(t, task, socket.SOCK_DGRAM)
	for name, c := range map[string]struct {
		cmd uint
		set func(socket.IoctlHook)
	}{
		"bridge": {socket.SIOCBRADDBR, socket.SetBridgeIoctl},
		"vlan":   {socket.SIOCGIFVLAN, socket.SetVlanIoctl},
		"dlci":   {socket.SIOCADDDLCI, socket.SetDlciIoctl},
	} {
		if err := task.Ioctl(fd, c.cmd, nil); err != errno.ENOPKG {
			t.Errorf("%s: %v, want ENOPKG", name, err)
		}
		var seen uint
		c.set(func(_ *socket.Socket, cmd uint, _ any) error { seen = cmd; return errno.EBUSY })
		if err := task.Ioctl(fd, c.cmd, nil); err != errno.EBUSY || seen != c.cmd {
			t.Errorf("%s with a hook: %v, it saw %#x", name, err, seen)
		}
		c.set(nil)
	}
}

func TestNetworkOfSocketNeedsPrivilege(t *testing.T) {
	task := newTask(t)
	fd := open(t, task, socket.SOCK_DGRAM)
	var got any
	if err := task.Ioctl(fd, socket.SIOCGSKNS, &got); err != nil || got != any(task.Net) {
		t.Errorf("%v, %v", got, err)
	}
	plain := socket.NewTask(task.Net)
	plain.Caps = 0
	defer plain.Exit()
	fd = open(t, plain, socket.SOCK_DGRAM)
	for cmd, arg := range map[uint]any{
		socket.SIOCGSKNS:    &got,
		socket.SIOCSIFMTU:   &socket.Ifreq{Name: "lo", MTU: 1500},
		socket.SIOCSIFFLAGS: &socket.Ifreq{Name: "lo"},
		socket.SIOCADDMULTI: &socket.Ifreq{Name: "lo"},
		socket.SIOCADDRT:    &socket.Rtentry{},
		socket.SIOCSARP:     &socket.Arpreq{},
	} {
		if err := plain.Ioctl(fd, cmd, arg); err != errno.EPERM {
			t.Errorf("%#x without privilege: %v, want EPERM", cmd, err)
		}
		if err := plain.Ioctl(fd, cmd, "no such argument"); err != errno.EPERM && err != errno.EFAULT {
			t.Errorf("%#x with a string: %v", cmd, err)
		}
	}
}

func TestOwnerIsTold(t *testing.T) {
	task := newTask(t)
	receiver, sender := open(t, task, socket.SOCK_DGRAM), open(t, task, socket.SOCK_DGRAM)
	if err := task.Bind(receiver, lo(0)); err != nil {
		t.Fatal(err)
	}
	to, err := task.GetSockName(receiver)
	if err != nil {
		t.Fatal(err)
	}
	events := make(chan socket.EventMask, 8)
	owner := &socket.Owner{Pid: 7, Notify: func(e socket.EventMask) {
		select {
		case events <- e:
		default:
		}
	}}
	if err := task.Ioctl(receiver, socket.FIOSETOWN, owner); err != nil {
		t.Fatal(err)
	}
	send := func() {
		t.Helper()
		if _, err := task.SendTo(sender, []byte("x"), 0, to); err != nil {
			t.Fatal(err)
		}
	}
	send()
	// Loopback delivers within the send.
	select {
	case e := <-events:
		if e&socket.POLLIN == 0 {
			t.Errorf("told of %#x, want POLLIN", uint(e))
		}
	default:
		t.Error("the owner was not told")
	}
	var pid int
	if err := task.Ioctl(receiver, socket.SIOCGPGRP, &pid); err != nil || pid != 7 {
		t.Errorf("the owner is %d, %v", pid, err)
	}
	// Only what comes to an empty queue is told of.
	if _, err := task.Recv(receiver, make([]byte, 4), socket.MSG_DONTWAIT); err != nil {
		t.Fatal(err)
	}
	nobody := 0
	if err := task.Ioctl(receiver, socket.SIOCSPGRP, &nobody); err != nil {
		t.Fatal(err)
	}
	send()
	if len(events) != 0 {
		t.Error("a former owner was told")
	}
}

func TestPrivateIoctl(t *testing.T) {
	task := newTask(t)
	fd := open(t, task, socket.SOCK_DGRAM)
	task.Net.SetPrivateIoctl(netdev.LoopbackIndex, func(cmd uint, arg any) error {
		*arg.(*uint) = cmd
		return nil
	})
	var got uint
	if err := task.Ioctl(fd, socket.SIOCDEVPRIVATE+15, &socket.Ifreq{Name: "lo", Data: &got}); err != nil || got != socket.SIOCDEVPRIVATE+15 {
		t.Errorf("the driver saw %#x, %v", got, err)
	}
}

func TestIfconfAndStatistics(t *testing.T) {
	task := newTask(t)
	fd := open(t, task, socket.SOCK_DGRAM)
	var c socket.Ifconf
	if err := task.Ioctl(fd, socket.SIOCGIFCONF, &c); err != nil || c.Count != 1 {
		t.Fatalf("%+v, %v", c, err)
	}
	c.Req = make([]socket.Ifreq, 4)
	if err := task.Ioctl(fd, socket.SIOCGIFCONF, &c); err != nil || c.Count != 1 || c.Req[0].Name != "lo" || c.Req[0].Addr.String() != "127.0.0.1:0" {
		t.Errorf("%+v, %v", c, err)
	}
	var stats socket.EthtoolStats
	if err := task.Ioctl(fd, socket.SIOCETHTOOL, &socket.Ifreq{Name: "lo", Data: &stats}); err != nil || len(stats.Names) == 0 || len(stats.Names) != len(stats.Values) {
		t.Errorf("%+v, %v", stats, err)
	}
}
