package families_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/tamanet/tamanet/net/inet"
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
