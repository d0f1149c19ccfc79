package families_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/tamanet/tamanet/net/inet"
	"github.com/tamanet/tamanet/net/internal/sockettest"
	"github.com/tamanet/tamanet/net/packet"
	"github.com/tamanet/tamanet/net/raw"
	"github.com/tamanet/tamanet/net/socket"
	"github.com/tamanet/tamanet/net/tcp"
	"github.com/tamanet/tamanet/net/udp"
)

var update = flag.Bool("update", false, "write the table of options anew")

// tables are the option tables that the documentation lists.
var tables = []struct {
	level string
	table *socket.OptionTable
}{
	{"SOL_SOCKET", socket.SocketOptions()},
	{"SOL_IP", inet.IPOptions},
	{"SOL_IPV6", inet.IPv6Options},
	{"SOL_TCP", tcp.Options},
	{"SOL_UDP", udp.Options},
	{"SOL_PACKET", packet.Options},
}

// rawOptions are those that raw sockets handle by themselves: they depend on the protocol.
var rawOptions = []struct {
	label                   string
	family, protocol, level int
	name                    int
	what                    string
}{
	{"ICMP_FILTER", socket.AF_INET, socket.IPPROTO_ICMP, socket.SOL_RAW, raw.ICMP_FILTER, "SOL_RAW, IPPROTO_ICMP"},
	{"ICMPV6_FILTER", socket.AF_INET6, socket.IPPROTO_ICMPV6, socket.SOL_ICMPV6, raw.ICMPV6_FILTER, "SOL_ICMPV6, IPPROTO_ICMPV6"},
	{"IPV6_CHECKSUM", socket.AF_INET6, socket.IPPROTO_UDP, socket.SOL_RAW, raw.IPV6_CHECKSUM, "SOL_RAW and SOL_IPV6, every protocol of AF_INET6"},
}

// optionTable writes the tables as the comment of options.go has them.
func optionTable() string {
	var b strings.Builder
	for _, t := range tables {
		fmt.Fprintf(&b, "//\n// %s:\n//\n", t.level)
		for _, o := range t.table.Options() {
			line := fmt.Sprintf("//\t%-24s %-11s %s", o.Label, o.State, o.Why)
			b.WriteString(strings.TrimRight(line, " ") + "\n")
		}
	}
	b.WriteString("//\n// Raw sockets:\n//\n")
	for _, o := range rawOptions {
		fmt.Fprintf(&b, "//\t%-24s %-11v %s\n", o.label, socket.OptionWorks, o.what)
	}
	return b.String()
}

const optionsHead = `// # Socket options
//
// The options that sockets have. One that works does what Linux's does; one
// that is stored is checked and read back as there, without effect; the
// others are ENOPROTOOPT, and so is every option that no table names.
`

const optionsTail = `package families
`

// TestOptionsAreDocumented keeps the documentation equal to the tables that
// the calls use.
func TestOptionsAreDocumented(t *testing.T) {
	want := optionsHead + optionTable() + optionsTail
	if *update {
		if err := os.WriteFile("options.go", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("options.go")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("options.go is not what the tables say; write it with: go test ./net/families -update")
	}
}

// TestRawOptionsWork sets each to what it reads as.
func TestRawOptionsWork(t *testing.T) {
	task := newTask(t)
	for _, o := range rawOptions {
		fd, err := task.Socket(o.family, socket.SOCK_RAW, o.protocol)
		if err != nil {
			t.Fatal(err)
		}
		val := make([]byte, 64)
		n, err := task.GetSockOpt(fd, o.level, o.name, val)
		if n == 0 || err != nil {
			t.Errorf("%s reads %d bytes, %v", o.label, n, err)
		}
		if err := task.SetSockOpt(fd, o.level, o.name, val[:n]); err != nil {
			t.Errorf("%s: %v", o.label, err)
		}
	}
}

// newTask returns a caller in a network of its own.
var newTask = sockettest.NewTask

// TestOptionStatesAreHonest holds what the states promise: what is refused
// has no setter or getter, what is not simply works has a reason.
func TestOptionStatesAreHonest(t *testing.T) {
	for _, table := range tables {
		for _, o := range table.table.Options() {
			switch {
			case o.State == socket.OptionRefused && (o.Set != nil || o.Get != nil):
				t.Errorf("%s is refused, and has a setter or getter", o.Label)
			case o.State != socket.OptionWorks && o.Why == "":
				t.Errorf("%s is %s, and does not say why", o.Label, o.State)
			case o.State == socket.OptionWorks && o.Set == nil && o.Get == nil && o.Why == "":
				t.Errorf("%s does nothing", o.Label)
			}
		}
	}
}
