package bench

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/tamanet/tamanet/qemu/bench/ifup"
)

// tapName is the host's end of the tap interface.
const tapName = "tap0"

// hostAddr is the host's address in the guest's network, the same as with user networking.
var hostAddr = netip.MustParsePrefix("10.0.2.2/24")

// Namespaced returns a command that runs this program once more, with args, in a network namespace of its own. It
// needs root. The end of ctx interrupts it.
func Namespaced(ctx context.Context, args []string) (*exec.Cmd, error) {
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("a tap interface in a network namespace of its own needs root; --net=%s needs no privilege", NetUser)
	}
	cmd := exec.CommandContext(ctx, "/proc/self/exe", args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	return cmd, nil
}

// makeTap makes the tap interface, which lasts as long as the network namespace.
func makeTap() error {
	if err := ifup.Tap(tapName, false); err != nil {
		return err
	}
	return ifup.Up(tapName, hostAddr)
}

// openTap makes the tap interface and returns the other end of its cable, with which it lasts.
func openTap() (*os.File, error) {
	f, err := ifup.Open(tapName)
	if err != nil {
		return nil, err
	}
	return f, ifup.Up(tapName, hostAddr)
}
