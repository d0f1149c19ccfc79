//go:build linux

package oracle

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tamanet/tamanet/net/internal/leaktest"
)

// inNamespace tells a test binary that it was started again in a network
// namespace of its own.
const inNamespace = "TAMANET_ORACLE_NETNS"

// TestMain runs the tests in a fresh network namespace with only lo, so that
// they neither touch the machine's network nor depend on it. Where that is
// not allowed they run where they are; they use loopback only.
func TestMain(m *testing.M) {
	if os.Getenv(inNamespace) == "" {
		if code, ok := again(); ok {
			os.Exit(code)
		}
		fmt.Println("oracle: no network namespace to be had; using the machine's loopback")
	} else if err := loopbackUp(); err != nil {
		fmt.Println("oracle: bringing lo up:", err)
		os.Exit(1)
	}
	// Linux raises SIGPIPE where a scenario forgets MSG_NOSIGNAL.
	signal.Ignore(syscall.SIGPIPE)
	flag.Parse()
	if flag.Lookup("test.bench").Value.String() != "" {
		os.Exit(m.Run()) // looking for leaks costs time
	}
	leaktest.Main(m)
}

// again starts this binary in a new namespace and returns its exit code, and
// whether it could be started.
func again() (int, bool) {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), inNamespace+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	if err := cmd.Start(); err != nil {
		return 0, false
	}
	err := cmd.Wait()
	if cmd.ProcessState.Exited() {
		return cmd.ProcessState.ExitCode(), true
	}
	fmt.Println("oracle:", err)
	return 1, true
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr)
}
