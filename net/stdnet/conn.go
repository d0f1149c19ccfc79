package stdnet

import (
	"net"
	"time"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/socket"
)

// A conn is what TCPConn, UDPConn and TCPListener share: a socket, the wait
// for it, and its addresses.
type conn struct {
	s       *socket.Socket
	pd      pollDesc
	network string
	laddr   net.Addr
	raddr   net.Addr // nil when there is no peer

	// One message each way, guarded by the side's mutex, so that no call
	// allocates one.
	in, out socket.Msghdr
}

func (c *conn) init(s *socket.Socket, network string) {
	c.s, c.network = s, network
	c.pd.init(s)
}

// LocalAddr returns the local address, a *net.TCPAddr or *net.UDPAddr.
func (c *conn) LocalAddr() net.Addr { return c.laddr }

// RemoteAddr returns the peer's address, or nil when there is none.
func (c *conn) RemoteAddr() net.Addr { return c.raddr }

// Close closes the connection and ends the calls inside it with
// net.ErrClosed. What was written is still delivered, unless SetLinger says
// otherwise. A second Close fails with net.ErrClosed.
func (c *conn) Close() error {
	if !c.pd.close(c.s) {
		return c.opError("close", net.ErrClosed)
	}
	return c.opError("close", syscallError("close", c.s.Release()))
}

// SetDeadline sets both deadlines.
func (c *conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline sets when reads, now and later, fail with
// os.ErrDeadlineExceeded; the zero time is never.
func (c *conn) SetReadDeadline(t time.Time) error { return c.setDeadline(&c.pd.read, t) }

// SetWriteDeadline sets when writes, now and later, fail with
// os.ErrDeadlineExceeded; the zero time is never.
func (c *conn) SetWriteDeadline(t time.Time) error { return c.setDeadline(&c.pd.write, t) }

func (c *conn) setDeadline(s *side, t time.Time) error {
	if c.pd.closed.Load() {
		return c.opError("set", net.ErrClosed)
	}
	s.deadline.set(t)
	return nil
}

// SetReadBuffer sets SO_RCVBUF, in bytes.
func (c *conn) SetReadBuffer(bytes int) error {
	return c.setOption(socket.SOL_SOCKET, socket.SO_RCVBUF, bytes)
}

// SetWriteBuffer sets SO_SNDBUF, in bytes.
func (c *conn) SetWriteBuffer(bytes int) error {
	return c.setOption(socket.SOL_SOCKET, socket.SO_SNDBUF, bytes)
}

func (c *conn) setOption(level, name, v int) error {
	if c.pd.closed.Load() {
		return c.opError("set", net.ErrClosed)
	}
	return c.opError("set", syscallError("setsockopt", c.s.SetSockOptInt(level, name, v)))
}

// Socket returns the socket below, for options and calls that package net
// does not have. It stays the connection's and is closed with it.
func (c *conn) Socket() *socket.Socket { return c.s }

// opError wraps an error as package net does, errors of io apart. It returns
// nil for nil.
func (c *conn) opError(op string, err error) error {
	if err == nil {
		return nil
	}
	return &net.OpError{Op: op, Net: c.network, Source: c.laddr, Addr: c.raddr, Err: err}
}

// wrap gives a socket's error the name of the call it is from; the errors of
// a deadline and of closing stay as they are.
func wrap(call string, err error) error {
	if e, ok := err.(errno.Errno); ok {
		return syscallError(call, e)
	}
	return err
}
