package netfilter_test

import (
	"errors"
	"math/bits"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/internal/leaktest"
	"github.com/tamanet/tamanet/net/internal/sockettest"
	"github.com/tamanet/tamanet/net/netfilter"
	"github.com/tamanet/tamanet/net/socket"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

var newTask = sockettest.NewTask

func lo(port uint16) socket.Sockaddr { return socket.SockaddrInet4([4]byte{127, 0, 0, 1}, port) }

func open(t *testing.T, task *socket.Task, typ int) int {
	t.Helper()
	fd, err := task.Socket(socket.AF_INET, typ, 0)
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

func bound(t *testing.T, task *socket.Task, typ int, port uint16) int {
	t.Helper()
	fd := open(t, task, typ)
	if err := task.Bind(fd, lo(port)); err != nil {
		t.Fatal(err)
	}
	return fd
}

func TestHandlersByRange(t *testing.T) {
	task := newTask(t)
	fd := open(t, task, socket.SOCK_DGRAM)
	set := func() error { return task.SetSockOptInt(fd, socket.SOL_IP, 1101, 7) }
	if err := set(); err != errno.ENOPROTOOPT {
		t.Fatalf("before: %v", err)
	}
	var got []byte
	h := &netfilter.SockOpts{
		Family: socket.AF_INET, SetMin: 1100, SetMax: 1102, GetMin: 1100, GetMax: 1101,
		Set: func(_ *socket.Sock, name int, val []byte) error {
			got = append([]byte{byte(name - 1100)}, val...)
			return nil
		},
		Get: func(_ *socket.Sock, _ int, val []byte) (int, error) { return socket.PutInt(val, 42) },
	}
	if err := netfilter.Register(h); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { netfilter.Unregister(h) })
	if err := set(); err != nil || len(got) != 5 || got[0] != 1 {
		t.Errorf("set: %v, the handler saw %v", err, got)
	}
	if v, err := task.GetSockOptInt(fd, socket.SOL_IP, 1100); v != 42 || err != nil {
		t.Errorf("get: %d, %v", v, err)
	}
	if _, err := task.GetSockOptInt(fd, socket.SOL_IP, 1101); err != errno.ENOPROTOOPT {
		t.Errorf("get past the range: %v", err)
	}
	if err := task.SetSockOptInt(fd, socket.SOL_IP, 1102, 1); err != errno.ENOPROTOOPT {
		t.Errorf("set past the range: %v", err)
	}
	if err := netfilter.Register(&netfilter.SockOpts{Family: socket.AF_INET, SetMin: 1101, SetMax: 1200}); !errors.Is(err, errno.EBUSY) {
		t.Errorf("an overlapping range: %v, want EBUSY", err)
	}
	netfilter.Unregister(h)
	if err := set(); err != errno.ENOPROTOOPT {
		t.Errorf("after: %v", err)
	}
}

func TestInputFilter(t *testing.T) {
	task := newTask(t)
	receiver := bound(t, task, socket.SOCK_DGRAM, 5353)
	sender := open(t, task, socket.SOCK_DGRAM)
	var seen netfilter.Packet
	allow := false
	netfilter.SetInput(task.Net, func(p *netfilter.Packet) bool {
		seen = *p
		return allow || p.Protocol != socket.IPPROTO_UDP
	})
	recv := func() (int, error) {
		if _, err := task.SendTo(sender, []byte("x"), 0, lo(5353)); err != nil {
			t.Fatal(err)
		}
		return task.Recv(receiver, make([]byte, 4), socket.MSG_DONTWAIT)
	}
	if _, err := recv(); err != errno.EAGAIN {
		t.Errorf("refused, and yet: %v", err)
	}
	if seen.Dst != netip.MustParseAddrPort("127.0.0.1:5353") {
		t.Errorf("the filter saw %+v", seen)
	}
	if n := task.Net.IP().Stats().IP.IPTablesInputDropped.Value(); n != 1 {
		t.Errorf("%d packets are counted, want the one", n)
	}
	allow = true
	if n, err := recv(); n != 1 || err != nil {
		t.Errorf("allowed: %d, %v", n, err)
	}
	allow = false
	netfilter.SetInput(task.Net, nil)
	if n, err := recv(); n != 1 || err != nil {
		t.Errorf("without a filter: %d, %v", n, err)
	}
}

func TestRedirectTellsOriginalDestination(t *testing.T) {
	task := newTask(t)
	l := bound(t, task, socket.SOCK_STREAM, 8080)
	if err := task.Listen(l, 4); err != nil {
		t.Fatal(err)
	}
	err := netfilter.Redirect(task.Net, 80, 8080)
	if bits.UintSize == 32 {
		if !errors.Is(err, errno.EOPNOTSUPP) {
			t.Errorf("on a 32-bit processor: %v, want EOPNOTSUPP", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	client := open(t, task, socket.SOCK_STREAM)
	if err := task.Connect(client, lo(80)); err != nil {
		t.Fatal(err)
	}
	p := []socket.PollFd{{Fd: l, Events: socket.POLLIN}}
	if n, err := task.Poll(p, 5*time.Second); n != 1 || err != nil {
		t.Fatal("no connection:", n, err)
	}
	fd, _, err := task.Accept(l)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, socket.SizeofSockaddrIn)
	n, err := task.GetSockOpt(fd, socket.SOL_IP, 80, b)
	if err != nil {
		t.Fatal(err)
	}
	if a, err := socket.ParseSockaddr(b[:n]); err != nil || a.String() != "127.0.0.1:80" {
		t.Errorf("SO_ORIGINAL_DST is %v, %v", a, err)
	}
	if _, err := task.GetSockOpt(fd, socket.SOL_IP, 80, b[:8]); err != errno.EINVAL {
		t.Errorf("too short: %v", err)
	}
}

func TestPolicyDeniesByDefault(t *testing.T) {
	task := newTask(t)
	before := socket.Count()
	p, err := netfilter.ParsePolicy("")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Install(task.Net)()
	for _, typ := range []int{socket.SOCK_STREAM, socket.SOCK_DGRAM} {
		if _, err := task.Socket(socket.AF_INET, typ, 0); err != errno.EACCES {
			t.Errorf("socket of type %d: %v, want EACCES", typ, err)
		}
	}
	if p.Denied() != 2 || socket.Count() != before {
		t.Errorf("%d denied, %d sockets left", p.Denied(), socket.Count()-before)
	}
}

func TestPolicyAtEachHook(t *testing.T) {
	task := newTask(t)
	p, err := netfilter.ParsePolicy("in:inet:8080:127.0.0.0/8,out:inet:8080:127.0.0.0/8,out:inet:53")
	if err != nil {
		t.Fatal(err)
	}
	before := socket.Count()
	remove := p.Install(task.Net)
	defer remove()
	stream, dgram := open(t, task, socket.SOCK_STREAM), open(t, task, socket.SOCK_DGRAM)
	second := func(_ int, err error) error { return err }
	for _, c := range []struct {
		what string
		err  error
		want error
	}{
		{"family", second(task.Socket(socket.AF_UNIX, socket.SOCK_STREAM, 0)), errno.EACCES},
		{"bind 81", task.Bind(stream, lo(81)), errno.EACCES},
		{"bind 8080", task.Bind(stream, lo(8080)), nil},
		{"listen", task.Listen(stream, 4), nil},
		{"listen on a port by chance", task.Listen(open(t, task, socket.SOCK_STREAM), 4), errno.EACCES},
		{"connect 81", task.Connect(open(t, task, socket.SOCK_STREAM), lo(81)), errno.EACCES},
		{"connect 8080", task.Connect(open(t, task, socket.SOCK_STREAM), lo(8080)), nil},
		{"peer outside", task.Connect(dgram, socket.SockaddrInet4([4]byte{192, 0, 2, 1}, 8080)), errno.EACCES},
		{"sendto 99", second(task.SendTo(dgram, []byte("x"), 0, lo(99))), errno.EACCES},
		{"sendto 53", second(task.SendTo(dgram, []byte("x"), 0, lo(53))), nil},
	} {
		if c.err != c.want {
			t.Errorf("%s: %v, want %v", c.what, c.err, c.want)
		}
	}
	if got := []uint64{p.Rules[0].Hits(), p.Rules[1].Hits(), p.Rules[2].Hits(), p.Denied()}; got[0] != 2 || got[1] != 1 || got[2] != 1 || got[3] != 6 {
		t.Errorf("counts %v, want 2 1 1 and 6 denied", got)
	}
	task.Exit()
	if n := socket.Count() - before; n != 0 {
		t.Errorf("%d sockets are left", n)
	}
}

func TestPolicyText(t *testing.T) {
	for text, want := range map[string]string{
		"in:inet:80:10.0.2.7/24": "in:inet:80:10.0.2.0/24",
		"out":                    "out:*:*:*",
		"*:unix":                 "*:unix:*:*",
		"in:inet6:443:fd00::/8":  "in:inet6:443:fd00::/8",
	} {
		p, err := netfilter.ParsePolicy(text)
		if err != nil || p.Rules[0].String() != want {
			t.Errorf("%q: %v, %v", text, p, err)
		}
	}
	for _, text := range []string{"sideways", "in:atalk", "in:inet:0", "in:inet:65536", "in:inet:80:10.0.2.1", "in,"} {
		if p, err := netfilter.ParsePolicy(text); err == nil {
			t.Errorf("%q was taken for %v", text, p)
		} else if !strings.Contains(err.Error(), "rule") {
			t.Errorf("%q: %v does not name the rule", text, err)
		}
	}
}

func FuzzParsePolicy(f *testing.F) {
	for _, text := range []string{"", "in:inet:80:10.0.2.0/24,out:*:53", "in:inet6:443:fd00::/8", "::::", ",", "*"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := netfilter.ParsePolicy(text)
		if err != nil {
			return
		}
		for _, r := range p.Rules {
			again, err := netfilter.ParsePolicy(r.String())
			if err != nil || again.Rules[0].String() != r.String() {
				t.Fatalf("%q came back as %v, %v", r, again, err)
			}
		}
	})
}
