package socket_test

import (
	"slices"
	"testing"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/socket"
)

// TestPostCreateRefusalGivesTheFamilyBack holds that the second hook's refusal
// leaves neither the socket nor the hold on its family.
func TestPostCreateRefusalGivesTheFamilyBack(t *testing.T) {
	task := newTask(t)
	registerTest(t)
	before := socket.Count()
	remove := socket.AddSecurity(deny("post create"))
	_, err := task.Socket(testFamily, socket.SOCK_DGRAM, 0)
	remove()
	if err != errno.EACCES {
		t.Errorf("%v, want EACCES", err)
	}
	if n := socket.Count(); n != before {
		t.Errorf("%d sockets more", n-before)
	}
	if err := socket.Unregister(testFamily); err != nil {
		t.Errorf("the family is still held: %v", err)
	}
	fd, err := task.Socket(socket.AF_INET, socket.SOCK_DGRAM, 0)
	if fd != 0 || err != nil {
		t.Errorf("the next descriptor is %d, %v; want 0", fd, err)
	}
}

// TestSocketPairGivesBack holds that a pair that cannot be made whole leaves
// nothing.
func TestSocketPairGivesBack(t *testing.T) {
	task := newTask(t)
	pair := func(family int) error { return second(task.SocketPair(family, socket.SOCK_STREAM, 0)) }
	before := socket.Count()
	check := func(name string, got, want error) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		if n := socket.Count(); n != before {
			t.Errorf("%s: %d sockets more", name, n-before)
		}
	}
	check("a family without pairs", pair(socket.AF_INET), errno.EOPNOTSUPP)
	task.SetNoFile(1)
	check("one descriptor", pair(socket.AF_UNIX), errno.EMFILE)
	task.SetNoFile(socket.DefaultNoFile)
	socket.SetMaxSockets(before + 1)
	err := pair(socket.AF_UNIX)
	socket.SetMaxSockets(socket.DefaultMaxSockets)
	check("one socket", err, errno.ENFILE)
	remove := socket.AddSecurity(deny("post create"))
	err = pair(socket.AF_UNIX)
	remove()
	check("a hook that refuses", err, errno.EACCES)
	if fd := open(t, task, socket.SOCK_DGRAM); fd != 0 {
		t.Errorf("the next descriptor is %d, want 0", fd)
	}
}

// TestLoaderIsAskedForIoctlHooks holds that a command of a subsystem that is
// not there asks the loader for it, once, and is then that subsystem's.
func TestLoaderIsAskedForIoctlHooks(t *testing.T) {
	task := newTask(t)
	fd := open(t, task, socket.SOCK_DGRAM)
	for _, c := range []struct {
		module string
		cmds   []uint
		set    func(socket.IoctlHook)
	}{
		{"bridge", []uint{socket.SIOCGIFBR, socket.SIOCSIFBR, socket.SIOCBRADDBR, socket.SIOCBRDELBR}, socket.SetBridgeIoctl},
		{"8021q", []uint{socket.SIOCGIFVLAN, socket.SIOCSIFVLAN}, socket.SetVlanIoctl},
		{"dlci", []uint{socket.SIOCADDDLCI, socket.SIOCDELDLCI}, socket.SetDlciIoctl},
	} {
		var asked []string
		socket.SetLoader(func(name string) {
			asked = append(asked, name)
			c.set(func(*socket.Socket, uint, any) error { return nil })
		})
		for _, cmd := range c.cmds {
			if err := task.Ioctl(fd, cmd, nil); err != nil {
				t.Errorf("%s: %#x: %v", c.module, cmd, err)
			}
		}
		socket.SetLoader(nil)
		c.set(nil)
		if !slices.Equal(asked, []string{c.module}) {
			t.Errorf("the loader was asked for %q, want %s alone", asked, c.module)
		}
	}
}
