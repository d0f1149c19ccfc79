package bench

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/tamanet/tamanet/qemu"
	"github.com/tamanet/tamanet/qemu/impair"
)

// A wire joins a guest's card, through QEMU's stream netdev, to a tap interface of the host, by a bad wire of package
// impair. The guest has no offloads, the host is Linux as it is.
type wire struct {
	*impair.Wire
	listener net.Listener
	tap      *os.File
	done     chan error // what Run returned
}

// layWire makes the host's end and waits for QEMU behind a socket in dir. The caller starts QEMU with netdev and then calls
// join, or else close.
func layWire(ctx context.Context, dir string) (w *wire, netdev string, err error) {
	path := filepath.Join(dir, "wire")
	os.Remove(path)
	w = &wire{done: make(chan error, 1)}
	var lc net.ListenConfig
	if w.listener, err = lc.Listen(ctx, "unix", path); err != nil {
		return nil, "", err
	}
	if w.tap, err = openTap(); err != nil {
		w.close()
		return nil, "", err
	}
	return w, "stream,server=off,addr.type=unix,addr.path=" + path, nil
}

// join carries frames, as c says in both directions, from when QEMU has connected until it ends or ctx is done. The seed of
// what the guest sends is one more than that of what it receives.
func (w *wire) join(ctx context.Context, vm *qemu.VM, c impair.Config) error {
	gone := make(chan struct{})
	defer close(gone)
	go func() {
		select {
		case <-vm.Done():
			w.listener.Close()
		case <-gone:
		}
	}()
	conn, err := w.listener.Accept()
	if err != nil {
		w.close()
		return fmt.Errorf("waiting for QEMU to connect its stream netdev, which it has from version 7.2 on: %w", err)
	}
	w.listener.Close()
	w.Wire = impair.NewWire(impair.Stream(conn), impair.Packets(w.tap))
	if err := w.set(c); err != nil {
		conn.Close()
		w.close()
		return err
	}
	go func() {
		_, err := w.Run(ctx)
		w.done <- err
	}()
	return nil
}

// set changes the wire in both directions.
func (w *wire) set(c impair.Config) error {
	out := c
	out.Seed++
	return w.Set(out, c)
}

// close gives a wire up that was not joined.
func (w *wire) close() {
	w.listener.Close()
	if w.tap != nil {
		w.tap.Close()
	}
}
