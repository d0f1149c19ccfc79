package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tamanet/tamanet/qemu"
	"github.com/tamanet/tamanet/qemu/bench/ifup"
)

// inNamespace tells the test binary that it was started again in a network namespace of its own.
const inNamespace = "TAMANET_E2E_NETNS"

// TestVirtioNetOnTap boots on a tap interface, which unlike user networking offers checksum and segmentation offload both
// ways, frames longer than 1500 bytes, and several queues. The interface is in a network namespace of the test's own.
func TestVirtioNetOnTap(t *testing.T) {
	virtioDevice(t)
	if os.Getenv(inNamespace) == "" {
		inOwnNamespace(t)
		return
	}
	const (
		packed, commands, mq = "VIRTIO_F_RING_PACKED", "VIRTIO_NET_F_CTRL_VQ", "VIRTIO_NET_F_MQ"
		csum, gcsum          = "VIRTIO_NET_F_CSUM", "VIRTIO_NET_F_GUEST_CSUM"
		tso, gtso            = "VIRTIO_NET_F_HOST_TSO4", "VIRTIO_NET_F_GUEST_TSO4"
	)
	for _, tc := range []struct {
		name, disable string
		queues, mtu   int
		properties    []string
		with, without []string
	}{
		{"all offloads", "", 1, 1500, nil, []string{csum, gcsum, tso, gtso, commands}, []string{packed, mq}},
		{"packed ring", "", 1, 1500, []string{"packed=on"}, []string{packed, csum, gcsum, tso, gtso}, nil},
		{"packed ring without indirect descriptors", "indirect_desc", 1, 1500, []string{"packed=on"}, []string{packed, csum, gcsum, tso, gtso}, nil},
		{"packed ring without large receive", "guest_tso4,guest_tso6", 1, 1500, []string{"packed=on"}, []string{packed, csum, gcsum, tso}, []string{gtso}},
		{"jumbo", "", 1, 9000, []string{"host_mtu=9000"}, []string{"VIRTIO_NET_F_MTU", tso, gtso}, nil},
		{"jumbo without any offload", "csum,guest_csum,mrg_rxbuf", 1, 9000, []string{"host_mtu=9000"}, []string{"VIRTIO_NET_F_MTU"}, []string{csum, gcsum, tso, gtso}},
		{"two queue pairs", "", 2, 1500, []string{"mq=on"}, []string{mq, commands, tso}, []string{packed}},
		{"two queue pairs, packed rings", "", 2, 1500, []string{"mq=on", "packed=on"}, []string{mq, packed}, nil},
		{"two queue pairs, not used", "mq", 2, 1500, []string{"mq=on"}, []string{commands}, []string{mq}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := qemu.Config{Netdev: tap(t, tc.queues, tc.mtu)}
			if tc.disable != "" {
				cfg.Cmdline = "virtio_net.disable=" + tc.disable
			}
			vm, q := bootVirtio(t, cfg, tc.properties...)
			serves(t, vm)
			checkFeatures(t, q, tc.with, tc.without)
		})
	}
}

// inOwnNamespace runs the test once more in a network namespace, with its output as this one's.
func inOwnNamespace(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a tap interface in a network namespace of its own needs root")
	}
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		t.Skip("no tap interfaces here: ", err)
	}
	Kernel(t, Board, statusApp) // while the network is there, if something has to be fetched
	ctx := Context(t, 10*Patience)
	cmd := exec.CommandContext(ctx, "/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), inNamespace+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
		return
	}
	t.Logf("%s", out)
}

// tap makes a tap interface of this namespace's, with the host's address of user networking, and returns the netdev for
// it. It lasts as long as the test.
func tap(t *testing.T, queues, mtu int) string {
	t.Helper()
	const name = "tap0"
	netdev := "tap,ifname=" + name + ",script=no,downscript=no,vhost=off"
	if queues > 1 {
		netdev += fmt.Sprintf(",queues=%d", queues)
	}
	if err := ifup.Tap(name, queues > 1); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("ip", "link", "del", name).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(s)
	r, err := unix.NewIfreq(name)
	if err != nil {
		t.Fatal(err)
	}
	r.SetUint32(uint32(mtu))
	if err := unix.IoctlIfreq(s, unix.SIOCSIFMTU, r); err != nil {
		t.Fatal("SIOCSIFMTU: ", err)
	}
	if err := ifup.Up(name, netip.MustParsePrefix("10.0.2.2/24")); err != nil {
		t.Fatal(err)
	}
	return netdev
}
