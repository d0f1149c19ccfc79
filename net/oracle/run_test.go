//go:build linux

package oracle

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tamanet/tamanet/net/families"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/socket"
)

// A scenario is a sequence of calls on fresh sockets.
type scenario struct {
	name string
	run  func(r *run)
}

// scenarios are all that are run, from the files beside this one.
func scenarios() []scenario {
	var all []scenario
	for _, part := range []func() []scenario{
		createScenarios, bindScenarios, listenScenarios, connectScenarios, acceptScenarios,
		shutdownScenarios, closeScenarios, streamScenarios, dgramScenarios, pollScenarios,
		optionScenarios, moreOptionScenarios, cmsgScenarios, ioctlScenarios, fdScenarios, unixScenarios, filterScenarios, packetScenarios, pingScenarios, rawScenarios, epollScenarios,
		corkScenarios, mmsgScenarios, urgentScenarios, tcpScenarios, udpScenarios, unixQueueScenarios,
	} {
		all = append(all, part()...)
	}
	return all
}

// limit is the longest that a scenario may take on one side.
const limit = 20 * time.Second

// settle is how long a state that the other side of a connection brings about
// is waited for.
const settle = 3 * time.Second

// A run is one run of a scenario on one system. Its methods make the calls,
// note the outcomes, and return what a scenario goes on with.
type run struct {
	sys
	// expect is the other side's transcript, when this is the second run.
	expect []string

	ports *portNames

	mu    sync.Mutex
	lines []string
	fds   []int
}

// portNames names the ports that the system chose.
type portNames struct {
	mu    sync.Mutex
	names map[uint16]string
}

// abandoned ends a scenario whose fixture could not be made.
type abandoned struct{}

// do runs the scenario and returns its transcript.
func (s scenario) do(system sys, expect []string) []string {
	r := &run{sys: system, expect: expect, ports: &portNames{names: map[uint16]string{}}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				if _, ok := p.(abandoned); !ok {
					panic(p)
				}
			}
		}()
		s.run(r)
	}()
	select {
	case <-done:
	case <-time.After(limit):
		r.note("did not end within %v", limit)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, fd := range r.fds {
		system.close(fd)
	}
	return append([]string(nil), r.lines...)
}

func (r *run) note(format string, args ...any) {
	r.mu.Lock()
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
	r.mu.Unlock()
}

// outcome notes a step.
func (r *run) outcome(step string, err error, results ...any) {
	switch {
	case err != nil:
		r.note("%s: %s", step, errorName(err))
	case len(results) == 0:
		r.note("%s: ok", step)
	default:
		r.note("%s: %s", step, strings.TrimSuffix(fmt.Sprintln(results...), "\n"))
	}
}

// own closes fd at the end unless the scenario does.
func (r *run) own(fd int) {
	r.mu.Lock()
	r.fds = append(r.fds, fd)
	r.mu.Unlock()
}

func (r *run) disown(fd int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, v := range r.fds {
		if v == fd {
			r.fds = append(r.fds[:i], r.fds[i+1:]...)
			return
		}
	}
}

// addr writes an address; ports that the system chose are numbered in the
// order in which they appear.
func (r *run) addr(a socket.Sockaddr) string {
	if a.Family == socket.AF_UNIX {
		return unixName(a)
	}
	if a.Family == socket.AF_PACKET {
		return packetName(a)
	}
	if !a.IP().IsValid() {
		return fmt.Sprintf("family %d", a.Family)
	}
	r.ports.mu.Lock()
	defer r.ports.mu.Unlock()
	port, ok := r.ports.names[a.Port]
	switch {
	case ok:
	case a.Port < 20000:
		port = fmt.Sprint(a.Port)
	default:
		port = fmt.Sprintf("port#%d", len(r.ports.names)+1)
		r.ports.names[a.Port] = port
	}
	return a.IP().String() + " " + port
}

// must returns v, or abandons the scenario when a call that only prepares it
// fails.
func must[T any](r *run, v T, err error) T {
	if err != nil {
		r.note("preparing: %s", errorName(err))
		panic(abandoned{})
	}
	return v
}

// Steps, in the order of the calls they make.

func (r *run) Socket(family, typ, protocol int) int {
	fd, err := r.socket(family, typ, protocol)
	r.outcome("socket", err)
	if err == nil {
		r.own(fd)
	}
	return fd
}

// open makes a socket that the scenario cannot do without.
func (r *run) open(family, typ int) int {
	fd, err := r.socket(family, typ, 0)
	must(r, fd, err)
	r.own(fd)
	return fd
}

func (r *run) Bind(fd int, a socket.Sockaddr)    { r.outcome("bind", r.bind(fd, a)) }
func (r *run) Listen(fd, backlog int)            { r.outcome("listen", r.listen(fd, backlog)) }
func (r *run) Connect(fd int, a socket.Sockaddr) { r.outcome("connect", r.connect(fd, a)) }
func (r *run) Shutdown(fd, how int)              { r.outcome("shutdown", r.shutdown(fd, how)) }

func (r *run) Close(fd int) {
	r.disown(fd)
	r.outcome("close", r.close(fd))
}

func (r *run) Accept(fd, flags int) int {
	nfd, from, err := r.accept4(fd, flags)
	r.outcome("accept", err, r.addr(from))
	if err == nil {
		r.own(nfd)
	}
	return nfd
}

func (r *run) SockName(fd int) socket.Sockaddr {
	a, err := r.getsockname(fd)
	r.outcome("getsockname", err, r.addr(a))
	return a
}

func (r *run) PeerName(fd int) {
	var text string
	err := r.eventually("getpeername", func() (string, error) {
		a, err := r.getpeername(fd)
		if err == nil {
			text = r.addr(a)
		}
		return text, err
	})
	r.outcome("getpeername", err, text)
}

func (r *run) Send(fd int, b string, flags int) {
	n, err := r.send(fd, []byte(b), flags)
	r.outcome("send", err, n)
}

func (r *run) SendTo(fd int, b string, flags int, a socket.Sockaddr) {
	n, err := r.sendto(fd, []byte(b), flags, a)
	r.outcome("sendto", err, n)
}

func (r *run) SendMsg(fd int, flags int, parts ...string) {
	var iov [][]byte
	for _, p := range parts {
		iov = append(iov, []byte(p))
	}
	n, err := r.sendmsg(fd, iov, flags)
	r.outcome("sendmsg", err, n)
}

func (r *run) Recv(fd, size, flags int) {
	b := make([]byte, size)
	n, from, err := r.recvfrom(fd, b, flags)
	r.outcome("recv", err, n, quote(b, n), r.addr(from))
}

func (r *run) RecvMsg(fd, flags int, sizes ...int) {
	var iov [][]byte
	for _, s := range sizes {
		iov = append(iov, make([]byte, s))
	}
	n, from, msgflags, err := r.recvmsg(fd, iov, flags)
	all := bytes.Join(iov, nil)
	r.outcome("recvmsg", err, n, quote(all, n), r.addr(from), fmt.Sprintf("flags %#x", msgflags))
}

// quote writes received bytes, long ones by their length alone.
func quote(b []byte, n int) string {
	b = b[:max(0, min(n, len(b)))]
	if len(b) > 64 {
		return fmt.Sprintf("%d bytes", len(b))
	}
	return fmt.Sprintf("%q", b)
}

func (r *run) SetOpt(fd, level, name int, val []byte) {
	r.outcome(fmt.Sprintf("setsockopt %d %d len %d", level, name, len(val)), r.setsockopt(fd, level, name, val))
}

func (r *run) SetInt(fd, level, name, v int) {
	var b [socket.SizeofInt]byte
	socket.PutInt(b[:], v)
	r.outcome(fmt.Sprintf("setsockopt %d %d = %d", level, name, v), r.setsockopt(fd, level, name, b[:]))
}

// GetOpt reads an option into size bytes.
func (r *run) GetOpt(fd, level, name, size int) {
	b := make([]byte, size)
	n, err := r.getsockopt(fd, level, name, b)
	r.outcome(fmt.Sprintf("getsockopt %d %d len %d", level, name, size), err, n, fmt.Sprintf("%x", b[:max(0, min(n, size))]))
}

// SockErr reads and clears SO_ERROR, once.
func (r *run) SockErr(fd int) {
	var b [socket.SizeofInt]byte
	_, err := r.getsockopt(fd, socket.SOL_SOCKET, socket.SO_ERROR, b[:])
	v, _ := socket.OptInt(b[:])
	r.outcome("SO_ERROR", err, v)
}

func (r *run) FionRead(fd int) {
	n, err := r.fionread(fd)
	r.outcome("FIONREAD", err, n)
}

// allEvents is what scenarios ask Poll for.
const allEvents = socket.POLLIN | socket.POLLPRI | socket.POLLOUT | socket.POLLRDNORM | socket.POLLRDBAND |
	socket.POLLWRNORM | socket.POLLWRBAND | socket.POLLRDHUP

// Poll notes the events of fd. Those that the peer brings about may take a
// moment on a system whose loopback is not synchronous.
func (r *run) Poll(fd int) {
	var text string
	err := r.eventually("poll", func() (string, error) {
		p := []socket.PollFd{{Fd: fd, Events: allEvents}}
		_, err := r.poll(p, 0)
		text = fmt.Sprintf("%#x", uint(p[0].Revents))
		return text, err
	})
	r.outcome("poll", err, text)
}

// await waits for an event that the scenario needs before it goes on.
func (r *run) await(fd int, events socket.EventMask) {
	p := []socket.PollFd{{Fd: fd, Events: events}}
	if n, err := r.poll(p, int(settle/time.Millisecond)); n == 0 || err != nil {
		r.note("waited in vain for events %#x: %v", uint(events), err)
		panic(abandoned{})
	}
}

// eventually repeats a look that changes nothing until it shows what the
// other system's transcript has in this place, or settle is over.
func (r *run) eventually(step string, look func() (string, error)) error {
	r.mu.Lock()
	want := ""
	if at := len(r.lines); at < len(r.expect) {
		want = r.expect[at]
	}
	r.mu.Unlock()
	for deadline := time.Now().Add(settle); ; time.Sleep(time.Millisecond) {
		text, err := look()
		if err != nil {
			text = errorName(err)
		}
		if want == "" || want == step+": "+text || time.Now().After(deadline) {
			return err
		}
	}
}

// async runs calls beside the scenario, such as one that blocks. The function
// returned waits for them; their outcomes stand in the transcript from there
// on.
func (r *run) async(f func(r *run)) (join func()) {
	side := &run{sys: r.sys, ports: r.ports}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(side)
	}()
	return func() {
		select {
		case <-done:
		case <-time.After(settle):
			r.note("a call beside did not return")
			panic(abandoned{})
		}
		for _, l := range side.lines {
			r.note("beside: %s", l)
		}
		for _, fd := range side.fds {
			r.own(fd)
		}
	}
}

// newTamanet returns the layer in a network of its own.
func newTamanet(t testing.TB) (tamanet, *netdev.Stack) {
	t.Helper()
	if err := families.Register(); err != nil {
		t.Fatal(err)
	}
	st, err := netdev.New(netdev.Config{})
	if err != nil {
		t.Fatal(err)
	}
	// What a machine's administrator sets is no difference.
	st.Sysctl.RmemMax.Store(sysctl(t, "core/rmem_max"))
	st.Sysctl.WmemMax.Store(sysctl(t, "core/wmem_max"))
	task := socket.NewTask(st)
	task.Cred = linux{}.cred()
	return tamanet{task}, st
}

// sysctl reads a setting of the Linux that runs the test.
func sysctl(t testing.TB, name string) int32 {
	t.Helper()
	b, err := os.ReadFile("/proc/sys/net/" + name)
	if err != nil {
		t.Fatal(err)
	}
	v, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return int32(v)
}

// TestOracle runs every scenario on both systems.
func TestOracle(t *testing.T) {
	var agree, named, unexplained int
	var names []string
	seen := map[string]bool{}
	for _, s := range scenarios() {
		if seen[s.name] {
			t.Errorf("two scenarios are called %q", s.name)
		}
		seen[s.name] = true
		t.Run(s.name, func(t *testing.T) {
			reason := reasonFor(s.name)
			want, got, same := compare(t, s)
			// A machine under load may end a wait early or late, and Linux
			// may pick a port again that was just freed. Such a difference
			// does not stay; one of the layer does.
			for range 2 {
				if same || reason != "" {
					break
				}
				t.Logf("differs, looking again\n%s", diff(want, got))
				want, got, same = compare(t, s)
			}
			switch {
			case same && reason == "":
				agree++
			case same:
				t.Errorf("agrees, and stands in the list of differences: %s", reason)
			case reason != "":
				named++
				names = append(names, fmt.Sprintf("oracle: named difference: %s: %s", s.name, reason))
				t.Logf("differs: %s\n%s", reason, diff(want, got))
			default:
				unexplained++
				t.Errorf("differs\n%s", diff(want, got))
			}
		})
	}
	n := agree + named + unexplained
	if n == len(seen) {
		for _, d := range differences {
			if !slices.ContainsFunc(names, func(s string) bool { return strings.HasSuffix(s, d.reason) }) {
				t.Errorf("no scenario has the difference %q", d.prefix)
			}
		}
	}
	t.Attr("count", fmt.Sprint(n, " scenarios compared with Linux"))
	for _, line := range names {
		fmt.Println(line)
	}
	fmt.Printf("oracle: %d scenarios, %d agree, %d named differences, %d unexplained\n", n, agree, named, unexplained)
}

// compare runs s on both systems.
func compare(t *testing.T, s scenario) (want, got []string, same bool) {
	want = s.do(linux{}, nil)
	layer, st := newTamanet(t)
	defer st.Close()
	got = s.do(layer, want)
	layer.t.Exit()
	return want, got, slices.Equal(want, got)
}

// diff shows both transcripts, line by line.
func diff(want, got []string) string {
	var b strings.Builder
	for i := range max(len(want), len(got)) {
		w, g := "(nothing)", "(nothing)"
		if i < len(want) {
			w = want[i]
		}
		if i < len(got) {
			g = got[i]
		}
		if w == g {
			fmt.Fprintf(&b, "  both     %s\n", w)
		} else {
			fmt.Fprintf(&b, "  Linux    %s\n  tamanet  %s\n", w, g)
		}
	}
	return b.String()
}
