package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/tamanet/tamanet/board"
	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/kernel/irq"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/socket"
)

func TestCollectKnowsTheProcess(t *testing.T) {
	const line = irq.Line(47)
	line.SetName("eth0")
	before := line.Count()
	irq.Raise(line)

	r := collect()
	if r.Software.Go != runtime.Version() || r.Machine.CPUs < 1 || r.Machine.System != runtime.GOOS+"/"+runtime.GOARCH {
		t.Errorf("software %+v, machine %+v", r.Software, r.Machine)
	}
	if r.Memory.UsedBytes < r.Memory.HeapBytes+r.Memory.StackBytes || r.Memory.HeapBytes == 0 {
		t.Errorf("memory %+v does not add up", r.Memory)
	}
	if r.Runtime.Goroutines < 1 || r.UptimeSeconds <= 0 || r.Time.IsZero() {
		t.Errorf("runtime %+v, uptime %v, time %v", r.Runtime, r.UptimeSeconds, r.Time)
	}
	want := Interrupt{Line: 47, Name: "eth0", Count: before + 1, PerCPU: []uint64{}}
	if len(r.Interrupts) != 1 || !reflect.DeepEqual(r.Interrupts[0], want) {
		t.Errorf("interrupts %+v, want %+v", r.Interrupts, want)
	}
}

func TestCollectKnowsTheMachine(t *testing.T) {
	board.Register(&board.Machine{
		Name: "microvm", CPU: "QEMU TCG CPU", RAM: 128 << 20, Usable: 100 << 20, Cmdline: "hostname=pump echo=:7",
	})
	defer board.Register(nil)

	r := collect()
	want := Machine{
		Board: "microvm", CPU: "QEMU TCG CPU", CPUs: runtime.NumCPU(),
		System: runtime.GOOS + "/" + runtime.GOARCH, Cmdline: "hostname=pump echo=:7",
	}
	if r.Machine != want || r.Hostname != "pump" {
		t.Errorf("machine %+v, hostname %q; want %+v, pump", r.Machine, r.Hostname, want)
	}
	if r.Memory.RAMBytes != 128<<20 || r.Memory.UsableBytes != 100<<20 {
		t.Errorf("memory %+v", r.Memory)
	}
	if got := standard("machine", "process"); got != "machine" {
		t.Errorf("on a board the default is that of a %s", got)
	}
}

func TestCollectHasNoNullLists(t *testing.T) {
	text, err := json.Marshal([]any{collect(), interfaces(nil, nil), interfaces(make([]netdev.Interface, 1), nil)})
	if err != nil {
		t.Fatal(err)
	}
	// Only an interface without a device has a null, and that is no list.
	if strings.Contains(strings.ReplaceAll(string(text), `"device":null`, ""), "null") {
		t.Errorf("a list is null: %s", text)
	}
}

func TestCollectSeesTheDefaultStack(t *testing.T) {
	if _, err := ownStack(); err != nil {
		t.Fatal(err)
	}
	r := collect()
	if len(r.Interfaces) != 1 || r.Interfaces[0].Name != "lo" || !r.Interfaces[0].Up {
		t.Fatalf("interfaces %+v, want lo, up", r.Interfaces)
	}
	if want := []string{"127.0.0.1/8", "::1/128"}; !reflect.DeepEqual(r.Interfaces[0].Addresses, want) {
		t.Errorf("addresses %q, want %q", r.Interfaces[0].Addresses, want)
	}
	found := false
	for _, route := range r.Routes {
		found = found || route == Route{Destination: "127.0.0.0/8", Interface: "lo"}
	}
	if !found {
		t.Errorf("routes %+v lack 127.0.0.0/8 dev lo", r.Routes)
	}
}

// The page is served over tamanet's own network, and its JSON lists the very
// connection that it comes by.
func TestPageOverOwnNetworkListsItsSockets(t *testing.T) {
	own := networks[1]
	ln, err := own.listen()
	if err != nil {
		t.Fatal(err)
	}
	server := http.Server{Handler: newHandler(collect)}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		server.Serve(limit(ln, 4))
	}()
	defer func() {
		server.Close()
		<-gone
	}()
	var client net.Conn
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		var err error
		client, err = own.dial(ln.Addr())
		return client, err
	}}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport, Timeout: patience}).Get("http://status/status.json")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var r Report
	if err := json.NewDecoder(resp.Body).Decode(&r); err != nil {
		t.Fatal(err)
	}
	for i := range r.Sockets {
		r.Sockets[i].SendQ = 0 // the request may not be acknowledged yet
	}
	here, there := ln.Addr().String(), client.LocalAddr().String()
	for _, want := range []Socket{
		{Protocol: "tcp", State: "LISTEN", Local: here},
		{Protocol: "tcp", State: "ESTAB", Local: here, Peer: there},
		{Protocol: "tcp", State: "ESTAB", Local: there, Peer: here},
	} {
		if !slices.Contains(r.Sockets, want) {
			t.Errorf("sockets %+v lack %+v", r.Sockets, want)
		}
	}
}

// fakeDevice is a nic.Device as far as a report asks it.
type fakeDevice struct {
	nic.Device
	info nic.Info
	link nic.LinkState
}

func (d fakeDevice) Info() nic.Info      { return d.info }
func (d fakeDevice) Link() nic.LinkState { return d.link }

// countingDevice counts, too.
type countingDevice struct{ fakeDevice }

func (countingDevice) Stats() nic.Stats { return nic.Stats{RxFrames: 11, TxFull: 22, Resets: 33} }

func TestInterfacesFindTheirDevices(t *testing.T) {
	mac0, mac1 := nic.MAC{2, 0, 0, 0, 0, 1}, nic.MAC{2, 0, 0, 0, 0, 2}
	devices := []nic.Device{
		fakeDevice{info: nic.Info{Name: "silent", MAC: mac1}},
		countingDevice{fakeDevice{
			info: nic.Info{Name: "virtio-net 0xfeb02e00", MAC: mac0},
			link: nic.LinkState{Up: true, Mbps: 1000, FullDuplex: true},
		}},
	}
	got := interfaces([]netdev.Interface{
		{Index: 1, Name: "lo", Flags: netdev.IFF_UP},
		{
			Index: 2, Name: "eth0", HardwareAddr: net.HardwareAddr(mac0[:]), MTU: 1500, Flags: netdev.IFF_UP,
			Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.2.15/24")},
			Counters:  netdev.Counters{RxPackets: 1, RxBytes: 2, RxErrors: 3, RxUnknown: 4, TxPackets: 5, TxBytes: 6, TxDropped: 7},
		},
		{Index: 3, Name: "eth1", HardwareAddr: net.HardwareAddr(mac1[:]), Flags: netdev.IFF_UP},
	}, devices)

	if got[0].Device != nil || !got[0].Up {
		t.Errorf("lo: %+v, want up without a device", got[0])
	}
	if got[2].Up || got[2].Device == nil || len(got[2].Device.Counters) != 0 {
		t.Errorf("eth1 with its link down: %+v", got[2])
	}
	eth0 := got[1]
	if eth0.Device == nil {
		t.Fatal("eth0 has no device")
	}
	counters := eth0.Device.Counters
	if counters["rx_packets"] != 11 || counters["tx_full"] != 22 || counters["resets"] != 33 {
		t.Errorf("driver counters %v", counters)
	}
	eth0.Device = nil
	want := Interface{
		Index: 2, Name: "eth0", MAC: "02:00:00:00:00:01", MTU: 1500, Up: true,
		Addresses: []string{"10.0.2.15/24"},
		Counters:  Counters{RxPackets: 1, RxBytes: 2, RxErrors: 3, RxUnknown: 4, TxPackets: 5, TxBytes: 6, TxDropped: 7},
	}
	if !reflect.DeepEqual(eth0, want) {
		t.Errorf("got  %+v\nwant %+v", eth0, want)
	}
}

func TestSocketsReadAsSS(t *testing.T) {
	local := socket.Sockaddr{Family: socket.AF_INET, Port: 80, Addr: [16]byte{10, 0, 2, 15}}
	peer := socket.Sockaddr{Family: socket.AF_INET, Port: 40000, Addr: [16]byte{10, 0, 2, 2}}
	got := sockets([]socket.Info{
		{Protocol: "TCP", State: socket.TCP_ESTABLISHED, RecvQ: 1, SendQ: 2, Local: local, Peer: peer},
		{Protocol: "UDP", State: socket.TCP_CLOSE, Local: local},
	})
	want := []Socket{
		{Protocol: "tcp", State: "ESTAB", RecvQ: 1, SendQ: 2, Local: "10.0.2.15:80", Peer: "10.0.2.2:40000"},
		{Protocol: "udp", State: "UNCONN", Local: "10.0.2.15:80"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}
