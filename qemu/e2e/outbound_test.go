package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"

	"github.com/tamanet/tamanet/qemu"
)

// hostAddr is the host's loopback, as the guest sees it in user networking.
const hostAddr = "10.0.2.2"

// outboundRig is a test appliance that resolves names at a server of the test's.
type outboundRig struct {
	once   sync.Once
	dns    *nameServer
	shared Shared
}

var outbound = outboundRig{shared: Shared{App: testApp, Ports: "0:80,0:9000", Ready: "/clock"}}

// machine returns the test appliance, with the name server started before it.
func (o *outboundRig) machine(t *testing.T) *qemu.VM {
	t.Helper()
	o.once.Do(func() {
		o.dns = serveNames(t)
		o.shared.Setup.Cmdline = fmt.Sprintf("dns=%s:%d", hostAddr, o.dns.port)
	})
	return o.shared.Machine(t)
}

// reply is what the test appliance answers.
type reply struct {
	Reply, Error, Kind string
	Names              []string
}

// ask has the guest make a call. Path and query are those of the test appliance's control port.
func ask(t *testing.T, vm *qemu.VM, path string, query ...string) (r reply) {
	t.Helper()
	values := url.Values{}
	for i := 0; i < len(query); i += 2 {
		values.Set(query[i], query[i+1])
	}
	where := "http://" + vm.Addr("tcp", 80) + path + "?" + values.Encode()
	if err := getJSON(Context(t, Patience), http.DefaultClient, where, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// guestView returns the address at which the guest finds a listener on the host's loopback.
func guestView(a net.Addr) string {
	_, port, _ := net.SplitHostPort(a.String())
	return net.JoinHostPort(hostAddr, port)
}

func TestGuestDialsTCP(t *testing.T) {
	vm := outbound.machine(t)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	heard := make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			heard <- err.Error()
			return
		}
		defer conn.Close()
		said, err := io.ReadAll(conn) // to the end of the guest's direction
		heard <- fmt.Sprintf("%s, %v", said, err)
		io.WriteString(conn, "pong")
	}()
	r := ask(t, vm, "/dial", "network", "tcp", "addr", guestView(l.Addr()), "send", "ping")
	l.Close() // should the guest not have come, Accept ends here
	if got := <-heard; got != "ping, <nil>" || r.Reply != "pong" || r.Error != "" {
		t.Errorf("the host heard %q, the guest %+v", got, r)
	}
}

func TestGuestDialsUDP(t *testing.T) {
	vm := outbound.machine(t)
	pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	go func() {
		buf := make([]byte, 100)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			pc.WriteTo([]byte("you said "+string(buf[:n])), from)
		}
	}()
	r := ask(t, vm, "/dial", "network", "udp", "addr", guestView(pc.LocalAddr()), "send", "ping")
	if r.Reply != "you said ping" || r.Error != "" {
		t.Errorf("the guest heard %+v", r)
	}
}

func TestGuestIsRefused(t *testing.T) {
	vm := outbound.machine(t)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := guestView(l.Addr())
	l.Close() // nobody listens there from now on
	if r := ask(t, vm, "/dial", "network", "tcp", "addr", addr); r.Kind != "refused" || !strings.Contains(r.Error, addr) {
		t.Errorf("got %+v, want a refusal that names %s", r, addr)
	}
}

func TestGuestLooksUpNames(t *testing.T) {
	vm := outbound.machine(t)
	tests := []struct {
		query, name string
		names       []string
		kind        string
	}{
		{"host", "one.example.test", []string{"192.0.2.1"}, ""},
		{"host", "two.example.test", []string{"192.0.2.2", "192.0.2.3", "2001:db8::2"}, ""},
		{"host", "alias.example.test", []string{"192.0.2.1"}, ""},
		{"host", "many.example.test", manyAddrs(), ""}, // does not fit into a datagram: asked again over TCP
		{"host", "nowhere.example.test", nil, "not found"},
		{"addr", "192.0.2.1", []string{"one.example.test."}, ""},
		{"txt", "one.example.test", []string{"hello there"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := ask(t, vm, "/lookup", tt.query, tt.name)
			slices.Sort(r.Names)
			if !slices.Equal(r.Names, tt.names) || r.Kind != tt.kind {
				t.Errorf("got %q, %q (%s); want %q, %q", r.Names, r.Kind, r.Error, tt.names, tt.kind)
			}
		})
	}
	if n := outbound.dns.overTCP(); n == 0 {
		t.Error("the answer that was cut short was not asked for over TCP")
	}
}

func TestGuestDialsByName(t *testing.T) {
	vm := outbound.machine(t)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		io.WriteString(conn, "found")
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	r := ask(t, vm, "/dial", "network", "tcp", "addr", "host.example.test:"+port)
	if r.Reply != "found" || r.Error != "" {
		t.Errorf("got %+v", r)
	}
}

// manyAddrs are more addresses than 512 bytes of DNS hold (RFC 1035 §4.2.1), sorted as text.
func manyAddrs() []string {
	var addrs []string
	for i := range 80 {
		addrs = append(addrs, fmt.Sprintf("198.51.100.%d", i+1))
	}
	slices.Sort(addrs)
	return addrs
}

// nameServer is a DNS server on the host's loopback.
type nameServer struct {
	port int
	mu   sync.Mutex
	tcp  int // questions over TCP
}

func (s *nameServer) overTCP() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tcp
}

// zone holds what the name server knows: lines of a zone file (RFC 1035 §5.1) by name and type.
func zone(t *testing.T) map[dns.Question][]dns.RR {
	t.Helper()
	lines := []string{
		"one.example.test. 60 IN A 192.0.2.1",
		"one.example.test. 60 IN TXT \"hello there\"",
		"two.example.test. 60 IN A 192.0.2.2",
		"two.example.test. 60 IN A 192.0.2.3",
		"two.example.test. 60 IN AAAA 2001:db8::2",
		"alias.example.test. 60 IN CNAME one.example.test.",
		"host.example.test. 60 IN A " + hostAddr,
		"1.2.0.192.in-addr.arpa. 60 IN PTR one.example.test.",
	}
	for _, a := range manyAddrs() {
		lines = append(lines, "many.example.test. 60 IN A "+a)
	}
	z := make(map[dns.Question][]dns.RR)
	for _, line := range lines {
		rr, err := dns.NewRR(line)
		if err != nil {
			t.Fatal(err)
		}
		q := dns.Question{Name: rr.Header().Name, Qtype: rr.Header().Rrtype, Qclass: dns.ClassINET}
		z[q] = append(z[q], rr)
	}
	return z
}

// serveNames starts a name server, over UDP and TCP on one port, that lives as long as the process.
func serveNames(t *testing.T) *nameServer {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	pc, err := net.ListenPacket("udp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s := &nameServer{port: l.Addr().(*net.TCPAddr).Port}
	z := zone(t)
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		_, tcp := w.RemoteAddr().(*net.TCPAddr)
		w.WriteMsg(s.answer(z, q, tcp))
	})
	for _, server := range []*dns.Server{{Listener: l, Handler: handler}, {PacketConn: pc, Handler: handler}} {
		up := make(chan struct{})
		server.NotifyStartedFunc = func() { close(up) }
		go server.ActivateAndServe()
		<-up
	}
	return s
}

// answer answers q from z. Over UDP it is cut to what the asker takes, 512 bytes unless EDNS says more.
func (s *nameServer) answer(z map[dns.Question][]dns.RR, q *dns.Msg, tcp bool) *dns.Msg {
	m := new(dns.Msg)
	m.SetReply(q)
	m.Authoritative = true
	question := q.Question[0]
	question.Name = strings.ToLower(question.Name)
	m.Answer = z[question]
	if alias := z[dns.Question{Name: question.Name, Qtype: dns.TypeCNAME, Qclass: dns.ClassINET}]; len(alias) > 0 && m.Answer == nil {
		target := alias[0].(*dns.CNAME).Target
		m.Answer = append(alias[:1:1], z[dns.Question{Name: target, Qtype: question.Qtype, Qclass: dns.ClassINET}]...)
	}
	if m.Answer == nil && !known(z, question.Name) {
		m.Rcode = dns.RcodeNameError
	}
	if tcp {
		s.mu.Lock()
		s.tcp++
		s.mu.Unlock()
		return m
	}
	m.Truncate(dns.MinMsgSize)
	return m
}

// known reports whether z has anything of that name.
func known(z map[dns.Question][]dns.RR, name string) bool {
	for q := range z {
		if q.Name == name {
			return true
		}
	}
	return false
}
