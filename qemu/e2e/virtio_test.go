package e2e

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tamanet/tamanet/qemu"
)

// virtioDevice is the type of the board's network card, as -global takes it; a test is skipped on boards without one.
func virtioDevice(t *testing.T) string {
	t.Helper()
	switch Board {
	case "microvm":
		return "virtio-net-device"
	case "q35":
		return "virtio-net-pci"
	}
	t.Skipf("board %s has no virtio-net", Board)
	return ""
}

// virtioStatus is what QEMU knows of a virtio device and its driver.
type virtioStatus struct {
	GuestFeatures struct {
		Transports []string
		Dev        []string `json:"dev-features"`
	} `json:"guest-features"`
	Status struct{ Statuses []string }
}

// has says whether the driver has accepted a feature.
func (s *virtioStatus) has(feature string) bool {
	for _, f := range append(s.GuestFeatures.Transports, s.GuestFeatures.Dev...) {
		if strings.HasPrefix(f, feature+":") {
			return true
		}
	}
	return false
}

// queryVirtioNet asks QEMU about its network card.
func queryVirtioNet(t *testing.T, q *qemu.QMP) (s virtioStatus) {
	t.Helper()
	var devices []struct{ Path, Name string }
	if err := q.Execute("x-query-virtio", nil, &devices); err != nil {
		t.Fatal(err)
	}
	for _, d := range devices {
		if d.Name == "virtio-net" {
			if err := q.Execute("x-query-virtio-status", map[string]string{"path": d.Path}, &s); err != nil {
				t.Fatal(err)
			}
			return s
		}
	}
	t.Fatalf("QEMU has no virtio-net: %v", devices)
	return s
}

// checkFeatures checks which features device and driver have agreed on.
func checkFeatures(t *testing.T, q *qemu.QMP, with, without []string) {
	t.Helper()
	s := queryVirtioNet(t, q)
	for _, f := range with {
		if !s.has(f) {
			t.Errorf("%s was not negotiated: %v", f, s.GuestFeatures)
		}
	}
	for _, f := range without {
		if s.has(f) {
			t.Errorf("%s was negotiated", f)
		}
	}
}

// bootVirtio boots the demo appliance with properties of its card, and a monitor.
func bootVirtio(t *testing.T, cfg qemu.Config, properties ...string) (*qemu.VM, *qemu.QMP) {
	t.Helper()
	device := virtioDevice(t)
	socket := filepath.Join(t.TempDir(), "qmp")
	for _, p := range properties {
		cfg.More = append(cfg.More, "-global", device+"."+p)
	}
	cfg.More = append(cfg.More, qemu.QMPArgs(socket)...)
	cfg.Kernel = Kernel(t, Board, statusApp)
	var err error
	if cfg.Ports, err = qemu.ParsePorts(status.Ports); err != nil {
		t.Fatal(err)
	}
	if cfg.Netdev != "" {
		cfg.Ports = nil
	}
	vm := Boot(t, cfg)
	ctx := Context(t, 2*Patience)
	if err := vm.WaitHTTP(ctx, "http://"+addrOf(vm, 80)+status.Ready); err != nil {
		t.Fatal(err)
	}
	q, err := qemu.DialQMP(ctx, socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	return vm, q
}

// addrOf is where a port of the guest is reached: forwarded, or at the guest's own address where it is on a tap.
func addrOf(vm *qemu.VM, port uint16) string {
	return cmp.Or(vm.Addr("tcp", port), fmt.Sprintf("10.0.2.15:%d", port))
}

// serves checks that a machine answers: pages, and a stream of some length in both directions at once.
func serves(t *testing.T, vm *qemu.VM) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for range 10 {
		var r report
		if err := getJSON(Context(t, Patience), client, "http://"+addrOf(vm, 80)+"/status.json", &r); err != nil {
			t.Fatal(err)
		}
	}
	c, err := new(net.Dialer).DialContext(Context(t, Patience), "tcp", addrOf(vm, 7))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(Patience))
	sent := make([]byte, 1<<20)
	for i := range sent {
		sent[i] = byte(i * i >> 7)
	}
	failed := make(chan error, 1)
	go func() {
		_, err := c.Write(sent)
		failed <- err
	}()
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(c, got); err != nil {
		t.Fatalf("echo: %v", err)
	}
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, sent) {
		t.Error("the echo is not what was sent")
	}
}

// TestVirtioNetFeatures boots with the combinations of features that change how driver and device talk, and asks QEMU
// which they have agreed on. User networking offers no checksum or segmentation offload.
func TestVirtioNetFeatures(t *testing.T) {
	const (
		packed, indirect, events = "VIRTIO_F_RING_PACKED", "VIRTIO_RING_F_INDIRECT_DESC", "VIRTIO_RING_F_EVENT_IDX"
		merged, commands, mode   = "VIRTIO_NET_F_MRG_RXBUF", "VIRTIO_NET_F_CTRL_VQ", "VIRTIO_NET_F_CTRL_RX"
		address, vlan, announce  = "VIRTIO_NET_F_CTRL_MAC_ADDR", "VIRTIO_NET_F_CTRL_VLAN", "VIRTIO_NET_F_GUEST_ANNOUNCE"
	)
	for _, tc := range []struct {
		name, disable string
		properties    []string
		with, without []string
	}{
		{"split ring", "", nil, []string{indirect, events, merged, commands, mode, address, vlan, announce}, []string{packed}},
		{"packed ring", "", []string{"packed=on"}, []string{packed, indirect, events, commands, mode}, nil},
		{"packed ring without indirect descriptors", "indirect_desc", []string{"packed=on"}, []string{packed, events}, []string{indirect}},
		{"packed ring without event indices", "event_idx", []string{"packed=on"}, []string{packed, indirect}, []string{events}},
		{"packed ring with nothing else", "indirect_desc,event_idx,mrg_rxbuf,ctrl_vq", []string{"packed=on"}, []string{packed}, []string{indirect, events, merged, commands, mode}},
		{"packed ring off", "packed", []string{"packed=on"}, []string{indirect, events}, []string{packed}},
		{"everything off", "all", []string{"packed=on"}, nil, []string{packed, indirect, events, merged, commands, mode, address, vlan, announce}},
		{"without commands", "ctrl_vq", nil, []string{indirect, events}, []string{commands, mode, address, vlan, announce}},
		{"without a receive filter", "ctrl_rx,ctrl_vlan,ctrl_mac_addr,guest_announce", nil, []string{commands}, []string{mode, address, vlan, announce}},
		{"jumbo", "", []string{"host_mtu=9000"}, []string{"VIRTIO_NET_F_MTU"}, nil},
		{"jumbo without mergeable buffers", "mrg_rxbuf", []string{"host_mtu=9000", "packed=on"}, []string{"VIRTIO_NET_F_MTU", packed}, []string{merged}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := qemu.Config{}
			if tc.disable != "" {
				cfg.Cmdline = "virtio_net.disable=" + tc.disable
			}
			vm, q := bootVirtio(t, cfg, tc.properties...)
			serves(t, vm)
			checkFeatures(t, q, tc.with, tc.without)
			for _, line := range strings.Split(vm.Console(), "\n") {
				if strings.Contains(line, "virtio") && !strings.Contains(line, "Cmdline") {
					t.Errorf("console: %s", line)
				}
			}
		})
	}
}

// TestVirtioNetAnnounces has QEMU ask for an announcement, as after a migration, and looks for the gratuitous ARP among
// the frames that leave the card.
func TestVirtioNetAnnounces(t *testing.T) {
	dump := filepath.Join(t.TempDir(), "frames.pcap")
	_, q := bootVirtio(t, qemu.Config{More: []string{"-object", "filter-dump,id=dump,netdev=net0,file=" + dump}})
	find := func() (n int) {
		b, err := os.ReadFile(dump)
		if err != nil {
			t.Fatal(err)
		}
		// Ethernet's type, and an ARP request by 10.0.2.15 for itself.
		request, self := []byte("\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01"), []byte{10, 0, 2, 15}
		for i := bytes.Index(b, request); i >= 0; i = bytes.Index(b, request) {
			if b = b[i+len(request):]; len(b) >= 20 && bytes.Equal(b[6:10], self) && bytes.Equal(b[16:20], self) {
				n++
			}
		}
		return n
	}
	before := find()
	err := q.Execute("announce-self", map[string]any{"initial": 50, "max": 50, "rounds": 1, "step": 10}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx := Context(t, Patience)
	for find() == before {
		select {
		case <-ctx.Done():
			t.Fatal("no gratuitous ARP left the card")
		case <-time.After(50 * time.Millisecond):
		}
	}
}
