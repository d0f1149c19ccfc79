package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/tamanet/tamanet/qemu"
)

const (
	statusApp = "../../app/status"
	testApp   = "../testapp"
)

// status is the demo appliance, which most tests share: what a user boots is what is tested. Guest port 4444 is one
// where nothing listens.
var status = Shared{
	App:   statusApp,
	Ports: "0:80,0:7,0:9,0:7/udp,0:9/udp,0:4444",
	Ready: "/status.json",
}

func TestMain(m *testing.M) {
	code := m.Run()
	status.Stop()
	outbound.shared.Stop()
	os.RemoveAll(commandDir)
	os.Exit(code)
}

// report is what the tests read of /status.json.
type report struct {
	UptimeSeconds float64 `json:"uptime_seconds"`
	Time          time.Time
	Hostname      string
	Machine       struct {
		Board, CPU, System, Cmdline string
		CPUs                        int
	}
	Memory struct {
		RAM    uint64 `json:"ram_bytes"`
		Usable uint64 `json:"usable_bytes"`
	}
	Sockets []struct {
		Proto string `json:"protocol"`
		State string
	}
}

// getJSON decodes the JSON at url into v.
func getJSON(ctx context.Context, client *http.Client, url string, v any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
		return fmt.Errorf("%s: %w", url, err)
	}
	return nil
}

// fetch gets /status.json from a machine.
func fetch(t *testing.T, vm *qemu.VM) report {
	t.Helper()
	var r report
	if err := getJSON(Context(t, Patience), http.DefaultClient, "http://"+vm.Addr("tcp", 80)+"/status.json", &r); err != nil {
		t.Fatal(err)
	}
	return r
}
