package socket_test

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/internal/leaktest"
	"github.com/tamanet/tamanet/net/internal/sockettest"
	"github.com/tamanet/tamanet/net/socket"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// newTask returns a caller in a network of its own, with the inet families.
var newTask, newTaskOn = sockettest.NewTask, sockettest.NewTaskOn

// The family of this test's own: its sockets do nothing but exist.
const testFamily = 44

type testOps struct{ socket.NoOps }

func (testOps) Family() int                  { return testFamily }
func (testOps) Release(*socket.Socket) error { return nil }

type testProto struct{ socket.Proto }

func (testProto) Name() string                       { return "TEST" }
func (testProto) State(*socket.Sock) socket.State    { return socket.TCP_CLOSE }
func (testProto) Poll(*socket.Sock) socket.EventMask { return 0 }
func (testProto) SockError(*socket.Sock) error       { return nil }
func (testProto) Close(*socket.Sock, time.Duration)  {}
func (testProto) GetName(*socket.Sock, socket.NameOf) (socket.Sockaddr, error) {
	return socket.Sockaddr{Family: testFamily, Len: 2}, nil
}

func testCreate(s *socket.Socket, protocol int, kern bool) error {
	if protocol == 99 {
		return errno.EPROTONOSUPPORT
	}
	s.Ops = testOps{}
	s.Sk = &socket.Sock{}
	socket.InitSock(s.Sk, s, protocol, testProto{})
	return nil
}

func registerTest(t *testing.T) {
	t.Helper()
	if err := socket.Register(&socket.Family{Number: testFamily, Name: "AF_TEST", Create: testCreate}); err != nil {
		t.Fatal(err)
	}
}

func TestFamilyOfOnesOwn(t *testing.T) {
	task := newTask(t)
	if _, err := task.Socket(testFamily, socket.SOCK_DGRAM, 0); err != errno.EAFNOSUPPORT {
		t.Fatalf("before: %v, want EAFNOSUPPORT", err)
	}
	registerTest(t)
	fd, err := task.Socket(testFamily, socket.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	// Everything that the family does not do is EOPNOTSUPP.
	m := &socket.Msghdr{}
	for name, err := range map[string]error{
		"bind":     task.Bind(fd, socket.Sockaddr{}),
		"connect":  task.Connect(fd, socket.Sockaddr{}),
		"listen":   task.Listen(fd, 1),
		"shutdown": task.Shutdown(fd, 0),
		"accept":   third(task.Accept4(fd, 0)),
		"getname":  second(task.GetSockName(fd)),
		"send":     second(task.SendMsg(fd, m, 0)),
		"recv":     second(task.RecvMsg(fd, m, 0)),
		"setopt":   task.SetSockOptInt(fd, 99, 1, 1),
		"getopt":   second(task.GetSockOptInt(fd, 99, 1)),
		"ioctl":    task.Ioctl(fd, 1, nil),
	} {
		if err != errno.EOPNOTSUPP {
			t.Errorf("%s: %v, want EOPNOTSUPP", name, err)
		}
	}
	// SOL_SOCKET is every family's.
	if v, err := task.GetSockOptInt(fd, socket.SOL_SOCKET, socket.SO_DOMAIN); v != testFamily || err != nil {
		t.Errorf("SO_DOMAIN is %d, %v", v, err)
	}
	if err := socket.Unregister(testFamily); !errors.Is(err, errno.EBUSY) {
		t.Errorf("unregister with a socket open: %v, want EBUSY", err)
	}
	if err := task.Close(fd); err != nil {
		t.Fatal(err)
	}
	if err := socket.Unregister(testFamily); err != nil {
		t.Fatal(err)
	}
	if err := socket.Unregister(testFamily); !errors.Is(err, errno.EAFNOSUPPORT) {
		t.Errorf("unregister twice: %v", err)
	}
}

func second[T any](_ T, err error) error        { return err }
func third[T, U any](_ T, _ U, err error) error { return err }

func TestRegisterRefuses(t *testing.T) {
	newTask(t)
	for _, c := range []struct {
		number int
		want   error
	}{
		{-1, errno.ENOBUFS}, {socket.NPROTO, errno.ENOBUFS}, {socket.AF_INET, errno.EEXIST},
	} {
		err := socket.Register(&socket.Family{Number: c.number, Name: "x", Create: testCreate})
		if !errors.Is(err, c.want) {
			t.Errorf("family %d: %v, want %v", c.number, err, c.want)
		}
	}
	if err := socket.Unregister(socket.NPROTO); !errors.Is(err, errno.EAFNOSUPPORT) {
		t.Errorf("unregister outside the table: %v", err)
	}
}

func TestLoaderBringsAFamily(t *testing.T) {
	task := newTask(t)
	var asked []string
	socket.SetLoader(func(name string) {
		asked = append(asked, name)
		registerTest(t)
	})
	defer socket.SetLoader(nil)
	fd, err := task.Socket(testFamily, socket.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(asked, []string{"net-pf-44"}) {
		t.Errorf("asked for %q", asked)
	}
	task.Close(fd)
	if err := socket.Unregister(testFamily); err != nil {
		t.Fatal(err)
	}
	socket.SetLoader(func(string) {})
	if _, err := task.Socket(testFamily, socket.SOCK_DGRAM, 0); err != errno.EAFNOSUPPORT {
		t.Errorf("a loader that brings nothing: %v", err)
	}
}

func TestRefusedCreateGivesEverythingBack(t *testing.T) {
	task := newTask(t)
	registerTest(t)
	before := socket.Count()
	if _, err := task.Socket(testFamily, socket.SOCK_DGRAM, 99); err != errno.EPROTONOSUPPORT {
		t.Errorf("%v, want the family's error", err)
	}
	if socket.Count() != before {
		t.Errorf("%d sockets more", socket.Count()-before)
	}
	if err := socket.Unregister(testFamily); err != nil {
		t.Errorf("the family is still held: %v", err)
	}
}

func TestObsoletePacketTypeIsNoticedOnce(t *testing.T) {
	task := newTask(t)
	socket.ForgetPacketNotice()
	var notices atomic.Int32
	old := socket.Noticef
	socket.Noticef = func(string, ...any) { notices.Add(1) }
	defer func() { socket.Noticef = old }()
	for range 3 {
		fd, err := task.Socket(socket.AF_INET, socket.SOCK_PACKET, 0)
		if err != nil {
			t.Fatal(err)
		}
		if d, err := task.GetSockOptInt(fd, socket.SOL_SOCKET, socket.SO_DOMAIN); d != socket.AF_PACKET || err != nil {
			t.Errorf("family %d, %v, want AF_PACKET", d, err)
		}
	}
	if notices.Load() != 1 {
		t.Errorf("%d notices, want 1", notices.Load())
	}
}
