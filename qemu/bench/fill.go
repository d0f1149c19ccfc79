package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// A Fill is what came of FillBuffers.
type Fill struct {
	Taken  int64 // bytes that the guest's side took of all connections before it took no more
	While  error // of a request while the buffers were full: a machine may let it wait
	Answer string
}

// fillPause is how long nothing more is taken when buffers are full.
const fillPause = 2 * time.Second

// FillBuffers boots tamanet's guest with o.Mem of RAM and makes n connections, whose buffers it fills in both directions: the guest
// sends without end and reads nothing, and so does the host. Connections for which there is no room wait. Then it closes them, and asks for a page. The error tells what the
// console said where the machine did not live through that, or does not answer.
func FillBuffers(ctx context.Context, o Options, n int) (f Fill, err error) {
	guests, err := Prepare(ctx, o)
	if err != nil {
		return f, err
	}
	b := &bench{Options: o}
	if b.dir, err = os.MkdirTemp("", "tamanet-fill-"); err != nil {
		return f, err
	}
	defer os.RemoveAll(b.dir)
	m, err := b.boot(ctx, bootLimit, guests[0], o.Mem)
	if err != nil {
		return f, err
	}
	defer m.Stop()
	if err := m.fill(ctx, n, &f); err != nil {
		return f, fmt.Errorf("%w; the console:\n%s", err, m.Console())
	}
	return f, nil
}

func (m *machine) fill(ctx context.Context, n int, f *Fill) error {
	var conns []net.Conn
	closeAll := func() {
		for _, c := range conns {
			c.Close()
		}
	}
	defer closeAll()
	for i := range n {
		conn, err := dialTCP(ctx, m.addr("tcp", 19))
		if err != nil {
			return fmt.Errorf("connection %d: %w", i, err)
		}
		conns = append(conns, conn)
	}
	var mu sync.Mutex
	var errs []error
	var all sync.WaitGroup
	for _, conn := range conns {
		all.Go(func() {
			taken, err := pushUntilFull(conn)
			mu.Lock()
			defer mu.Unlock()
			f.Taken += taken
			errs = append(errs, err)
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	full, cancel := context.WithTimeout(ctx, 2*fillPause)
	_, f.While = m.get(full, "/")
	cancel()
	closeAll()
	for end := time.Now().Add(bootLimit); ; {
		var err error
		if f.Answer, err = m.get(ctx, "/"); err == nil || ctx.Err() != nil || time.Now().After(end) {
			return err
		}
	}
}

// pushUntilFull writes until nothing more is taken.
func pushUntilFull(conn net.Conn) (taken int64, err error) {
	for buf := make([]byte, bulkSize); ; {
		conn.SetWriteDeadline(time.Now().Add(fillPause))
		n, err := conn.Write(buf)
		taken += int64(n)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && n == 0:
			return taken, nil
		case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
			return taken, err
		}
	}
}
