package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/tamanet/tamanet/qemu/testapp/pattern"
)

// datagram returns n bytes that no other size begins with.
func datagram(t *testing.T, n int) []byte {
	t.Helper()
	p, err := io.ReadAll(pattern.New(byte(n), int64(n)))
	if err != nil {
		t.Fatal(err)
	}
	if n > 1 {
		p[0], p[1] = byte(n), byte(n>>8)
	}
	return p
}

// echoDatagram sends p until it comes back: UDP may lose it, and does when the host is busy. Answers to datagrams
// before it are passed over.
func echoDatagram(conn net.Conn, p []byte) error {
	buf := make([]byte, 64<<10)
	for try := range 5 {
		if _, err := conn.Write(p); err != nil {
			return err
		}
		if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			return err
		}
		for {
			n, err := conn.Read(buf)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				return fmt.Errorf("try %d: %w", try+1, err)
			}
			if bytes.Equal(buf[:n], p) {
				return nil
			}
			if n == len(p) {
				return fmt.Errorf("%d bytes came back changed", n)
			}
		}
	}
	return fmt.Errorf("%d bytes did not come back", len(p))
}

func TestDatagramsOfEverySizeAreEchoed(t *testing.T) {
	conn := dial(t, Context(t, 2*Patience), status.Machine(t), "udp", 7)
	// 1472 bytes are what an Ethernet frame holds beside the IPv4 and UDP headers.
	for n := 1; n <= 1472; n++ {
		if err := echoDatagram(conn, datagram(t, n)); err != nil {
			t.Fatalf("size %d: %v", n, err)
		}
	}
}

func TestFragmentedDatagramIsEchoed(t *testing.T) {
	conn := dial(t, Context(t, Patience), status.Machine(t), "udp", 7)
	for _, n := range []int{1473, 2960, 8 << 10} {
		if err := echoDatagram(conn, datagram(t, n)); err != nil {
			t.Errorf("size %d: %v", n, err)
		}
	}
}

func TestDiscardedDatagramHasNoAnswer(t *testing.T) {
	vm := status.Machine(t)
	discard := dial(t, Context(t, Patience), vm, "udp", 9)
	if _, err := discard.Write([]byte("nobody wants this")); err != nil {
		t.Fatal(err)
	}
	// An echo that was sent later has come back: so would have an answer.
	if err := echoDatagram(dial(t, Context(t, Patience), vm, "udp", 7), datagram(t, 100)); err != nil {
		t.Fatal(err)
	}
	if n := pending(t, discard.(*net.UDPConn)); n >= 0 {
		t.Errorf("an answer of %d bytes came", n)
	}
}

// pending returns the size of the datagram that conn has received and not read yet, -1 when there is none.
func pending(t *testing.T, conn *net.UDPConn) (n int) {
	t.Helper()
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err = raw.Read(func(fd uintptr) bool {
		n, _, err = syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_DONTWAIT|syscall.MSG_TRUNC)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
