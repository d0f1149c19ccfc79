package socket_test

import (
	"testing"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/socket"
)

// levels are those that the fuzzer draws from.
var levels = []int{socket.SOL_SOCKET, socket.SOL_IP, socket.SOL_IPV6, socket.SOL_TCP, socket.SOL_UDP}

// FuzzSetSockOpt gives sockets any option of any level any bytes: nothing
// panics, every error is an Errno, and what was set can be read.
func FuzzSetSockOpt(f *testing.F) {
	for level := range levels {
		for _, name := range []uint8{1, 2, 8, 10, 13, 25, 35, 42, 51, 103} {
			f.Add(uint8(level), name, []byte{1, 0, 0, 0})
			f.Add(uint8(level), name, []byte{239, 1, 2, 3, 127, 0, 0, 1, 1, 0, 0, 0})
		}
	}
	task := newTask(f)
	f.Fuzz(func(t *testing.T, level, name uint8, val []byte) {
		for _, family := range []int{socket.AF_INET, socket.AF_INET6} {
			for _, typ := range []int{socket.SOCK_STREAM, socket.SOCK_DGRAM} {
				fd, err := task.Socket(family, typ, 0)
				if err != nil {
					t.Fatal(err)
				}
				l := levels[int(level)%len(levels)]
				isErrno(t, task.SetSockOpt(fd, l, int(name), val))
				n, err := task.GetSockOpt(fd, l, int(name), make([]byte, len(val)))
				isErrno(t, err)
				if n > len(val) {
					t.Fatalf("%d bytes were read into %d", n, len(val))
				}
				task.Close(fd)
			}
		}
	})
}

// FuzzSendControl gives sends any control messages.
func FuzzSendControl(f *testing.F) {
	f.Add(socket.AppendCmsg(nil, socket.SOL_IP, 2, []byte{9, 0, 0, 0}))
	f.Add(socket.AppendCmsg(nil, socket.SOL_IPV6, 50, make([]byte, 20)))
	f.Add(socket.AppendCmsg(nil, socket.SOL_UDP, 103, []byte{1, 0}))
	f.Add([]byte{255, 255, 255, 255, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0})
	task := newTask(f)
	f.Fuzz(func(t *testing.T, control []byte) {
		for _, family := range []int{socket.AF_INET, socket.AF_INET6} {
			fd, err := task.Socket(family, socket.SOCK_DGRAM, 0)
			if err != nil {
				t.Fatal(err)
			}
			to := lo(9)
			if family == socket.AF_INET6 {
				to = socket.SockaddrInet6([16]byte{15: 1}, 9, 0)
			}
			m := socket.Msghdr{Iov: [][]byte{[]byte("hello")}, Control: control, Name: to, HasName: true}
			_, err = task.SendMsg(fd, &m, socket.MSG_DONTWAIT)
			isErrno(t, err)
			task.Close(fd)
		}
	})
}

func isErrno(t *testing.T, err error) {
	t.Helper()
	if _, ok := err.(errno.Errno); err != nil && !ok {
		t.Fatalf("%v (%T) is no Errno", err, err)
	}
}
