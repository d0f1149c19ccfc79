package e2e

import (
	"net/http"
	"net/http/httptrace"
	"testing"
)

// getMany fetches the status n times from one client and returns how many connections that took.
func getMany(t *testing.T, client *http.Client, n int) (connections int) {
	t.Helper()
	vm := status.Machine(t)
	url := "http://" + vm.Addr("tcp", 80) + "/status.json"
	ctx := httptrace.WithClientTrace(Context(t, 2*Patience), &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			if !info.Reused {
				connections++
			}
		},
	})
	last := 0.0
	for i := range n {
		var r report
		if err := getJSON(ctx, client, url, &r); err != nil {
			t.Fatalf("request %d: %v", i+1, err)
		}
		if r.Machine.Board != Board || r.UptimeSeconds <= last {
			t.Fatalf("request %d: board %q, uptime %g s after %g s", i+1, r.Machine.Board, r.UptimeSeconds, last)
		}
		last = r.UptimeSeconds
	}
	return connections
}

func TestThousandRequestsOnOneConnection(t *testing.T) {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	if n := getMany(t, client, 1000); n != 1 {
		t.Errorf("1000 requests took %d connections, want 1", n)
	}
}

func TestTwoHundredFreshConnections(t *testing.T) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if n := getMany(t, client, 200); n != 200 {
		t.Errorf("200 requests took %d connections", n)
	}
}

func TestPageIsHTML(t *testing.T) {
	vm := status.Machine(t)
	req, err := http.NewRequestWithContext(Context(t, Patience), http.MethodGet, "http://"+vm.Addr("tcp", 80)+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("got %s, %s", resp.Status, resp.Header.Get("Content-Type"))
	}
}
