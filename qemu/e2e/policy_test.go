package e2e

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tamanet/tamanet/qemu"
)

// TestPolicyHolds shows an appliance under a policy: its web server is open to the peer that user networking shows it,
// its other port is open to others only, and it may go out to one port.
func TestPolicyHolds(t *testing.T) {
	cfg := qemu.Config{
		Cmdline: "policy=in:*:80:10.0.2.0/24,in:*:9000:192.0.2.0/24,out:inet:53",
		Ports:   []qemu.Forward{{Proto: "tcp", Guest: 80}, {Proto: "tcp", Guest: 9000}},
	}
	cfg.Kernel = Kernel(t, cfg.Board, testApp)
	vm := Boot(t, cfg)
	base := "http://" + vm.Addr("tcp", 80)
	if err := vm.WaitHTTP(Context(t, Patience), base+"/clock"); err != nil {
		t.Fatal(err)
	}

	// User networking accepts for the guest, which then does not answer.
	conn := dial(t, Context(t, Patience), vm, "tcp", 9000)
	if err := conn.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(make([]byte, 1)); n > 0 {
		t.Error("the guarded port talks to a peer that no rule allows")
	} else if !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		t.Error(err)
	}

	for _, addr := range []string{hostAddr + ":1", "[::1]:80"} {
		r := ask(t, vm, "/dial", "network", "tcp", "addr", addr)
		if !strings.Contains(r.Error, "permission denied") {
			t.Errorf("going out to %s: %+v, want permission denied", addr, r)
		}
	}

	var web, denied int
	for _, line := range strings.Split(policyOf(t, base), "\n") {
		if strings.HasPrefix(line, "in:*:80:") {
			fmt.Sscanf(line[strings.LastIndexByte(line, ' ')+1:], "%d", &web)
		}
		fmt.Sscanf(line, "denied %d", &denied)
	}
	// The bind, the listen and a connection; the port and two ways out.
	if web < 3 || denied < 3 {
		t.Errorf("the rule for port 80 counts %d, %d were denied", web, denied)
	}
}

// policyOf fetches the rules with their counts.
func policyOf(t *testing.T, base string) string {
	t.Helper()
	resp, err := http.Get(base + "/policy")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status, err)
	}
	t.Logf("the policy after:\n%s", b)
	return string(b)
}
