package stdnet

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"time"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/inet"
	"github.com/tamanet/tamanet/net/socket"
	"github.com/tamanet/tamanet/net/tcp"
)

const ipv6V6Only = inet.IPV6_V6ONLY

// TCPConn is a TCP connection.
type TCPConn struct{ conn }

var _ net.Conn = (*TCPConn)(nil)

// dialTCP connects s, until ctx ends.
func (d *dialer) dialTCP(ctx context.Context, s *socket.Socket) (*TCPConn, error) {
	if err := d.bind(s, false); err != nil {
		return nil, err
	}
	c := &TCPConn{}
	c.init(s, d.network)
	if err := c.connect(ctx, d.remote); err != nil {
		c.pd.close(s)
		return nil, err
	}
	remote, err := s.GetName(socket.PeerName)
	if err != nil {
		// The peer is gone already; reading will tell.
		remote = d.remote
	}
	if err := c.setup(remote); err != nil {
		c.pd.close(s)
		return nil, err
	}
	return c, nil
}

// connect is a connect that is not waited for, and the wait, which ctx ends.
func (c *TCPConn) connect(ctx context.Context, remote socket.Sockaddr) error {
	for {
		err := c.s.Connect(remote, socket.O_NONBLOCK)
		if err != errno.EINPROGRESS && err != errno.EALREADY {
			return syscallError("connect", err)
		}
		select {
		case <-c.pd.write.wake:
		case <-ctx.Done():
			return contextError(ctx)
		}
	}
}

// contextError returns the context's error; the one of its deadline is a
// timeout as package net knows it.
func contextError(ctx context.Context) error {
	if ctx.Err() == context.DeadlineExceeded {
		return dialTimeout{}
	}
	return ctx.Err()
}

// dialTimeout is a dial's error when the context's deadline passes, the same
// as package net's own.
type dialTimeout struct{}

// Error returns package net's words.
func (dialTimeout) Error() string { return "i/o timeout" }

// Timeout reports true.
func (dialTimeout) Timeout() bool { return true }

// Temporary reports true.
func (dialTimeout) Temporary() bool { return true }

// Is makes the error the context's too.
func (dialTimeout) Is(err error) bool { return err == context.DeadlineExceeded }

// setup sets a connection's options as package net does on Linux, and takes
// its addresses.
func (c *TCPConn) setup(remote socket.Sockaddr) error {
	local, err := c.s.GetName(socket.LocalName)
	if err != nil {
		return syscallError("getsockname", err)
	}
	c.laddr, c.raddr = tcpAddr(c.s, local), tcpAddr(c.s, remote)
	if err := c.SetNoDelay(true); err != nil {
		return err
	}
	return c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true})
}

// Read reads what is there, at least a byte, or waits. The end of the stream
// is io.EOF.
func (c *TCPConn) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	side := &c.pd.read
	side.mu.Lock()
	c.in.SetBuffer(b)
	n, err := c.pd.do(side, func() (int, error) {
		return c.s.RecvMsg(&c.in, socket.MSG_DONTWAIT)
	})
	c.in.SetBuffer(nil)
	side.mu.Unlock()
	switch {
	case err != nil:
		return n, c.opError("read", wrap("read", err))
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// Write writes all of b, and waits for room as need be. On error it returns
// how much was taken.
func (c *TCPConn) Write(b []byte) (int, error) {
	side := &c.pd.write
	side.mu.Lock()
	defer side.mu.Unlock()
	sent := 0
	for {
		c.out.SetBuffer(b[sent:])
		n, err := c.pd.do(side, func() (int, error) {
			return c.s.SendMsg(&c.out, socket.MSG_DONTWAIT)
		})
		c.out.SetBuffer(nil)
		sent += n
		if err != nil {
			return sent, c.opError("write", wrap("write", err))
		}
		if sent == len(b) {
			return sent, nil
		}
	}
}

// CloseRead shuts down reading: reads return what is there and then io.EOF.
func (c *TCPConn) CloseRead() error { return c.shutdown(socket.SHUT_RD) }

// CloseWrite shuts down writing: the peer reads to the end of the stream.
func (c *TCPConn) CloseWrite() error { return c.shutdown(socket.SHUT_WR) }

func (c *TCPConn) shutdown(how int) error {
	if c.pd.closed.Load() {
		return c.opError("close", net.ErrClosed)
	}
	return c.opError("close", syscallError("shutdown", c.s.Shutdown(how)))
}

// SetNoDelay sets TCP_NODELAY, which is on at first, as in package net.
func (c *TCPConn) SetNoDelay(on bool) error {
	return c.setOption(socket.SOL_TCP, tcp.TCP_NODELAY, socket.BoolInt(on))
}

// SetLinger sets SO_LINGER: with a negative number of seconds Close returns
// at once and what was written is still delivered, as at first; with zero it
// is thrown away and the connection reset; otherwise Close waits as long.
func (c *TCPConn) SetLinger(sec int) error {
	if c.pd.closed.Load() {
		return c.opError("set", net.ErrClosed)
	}
	var l [8]byte // struct linger
	if sec >= 0 {
		binary.NativeEndian.PutUint32(l[:], 1)
		binary.NativeEndian.PutUint32(l[4:], uint32(sec))
	}
	return c.opError("set", syscallError("setsockopt", c.s.SetSockOpt(socket.SOL_SOCKET, socket.SO_LINGER, l[:])))
}

// Package net's keep-alive, where the configuration leaves it open.
const (
	keepAliveTime  = 15 * time.Second
	keepAliveCount = 9
)

// SetKeepAliveConfig sets the keep-alive probes; a zero field takes package
// net's default and a negative one leaves the option as it is.
func (c *TCPConn) SetKeepAliveConfig(cfg net.KeepAliveConfig) error {
	if err := c.setOption(socket.SOL_SOCKET, socket.SO_KEEPALIVE, socket.BoolInt(cfg.Enable)); err != nil {
		return err
	}
	if cfg.Idle == 0 {
		cfg.Idle = keepAliveTime
	}
	if cfg.Interval == 0 {
		cfg.Interval = keepAliveTime
	}
	if cfg.Count == 0 {
		cfg.Count = keepAliveCount
	}
	for _, o := range [...]struct{ name, v int }{
		{tcp.TCP_KEEPIDLE, seconds(cfg.Idle)},
		{tcp.TCP_KEEPINTVL, seconds(cfg.Interval)},
		{tcp.TCP_KEEPCNT, cfg.Count},
	} {
		if o.v < 0 {
			continue
		}
		if err := c.setOption(socket.SOL_TCP, o.name, o.v); err != nil {
			return err
		}
	}
	return nil
}

// seconds rounds up; a negative time stays negative.
func seconds(d time.Duration) int {
	if d < 0 {
		return -1
	}
	return int((d + time.Second - 1) / time.Second)
}

// TCPListener accepts TCP connections.
type TCPListener struct{ conn }

var _ net.Listener = (*TCPListener)(nil)

// listenTCP makes s a listener with the longest backlog, as package net does.
func (d *dialer) listenTCP(s *socket.Socket) (*TCPListener, error) {
	if err := s.SetSockOptInt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); err != nil {
		return nil, syscallError("setsockopt", err)
	}
	if err := d.bind(s, true); err != nil {
		return nil, err
	}
	if err := s.Listen(-1); err != nil {
		return nil, syscallError("listen", err)
	}
	local, err := s.GetName(socket.LocalName)
	if err != nil {
		return nil, syscallError("getsockname", err)
	}
	l := &TCPListener{}
	l.init(s, d.network)
	l.laddr = tcpAddr(s, local)
	return l, nil
}

// Addr returns the local address, a *net.TCPAddr.
func (l *TCPListener) Addr() net.Addr { return l.laddr }

// SetDeadline sets when Accept fails with os.ErrDeadlineExceeded.
func (l *TCPListener) SetDeadline(t time.Time) error { return l.SetReadDeadline(t) }

// Accept waits for the next connection and returns it, a *TCPConn.
func (l *TCPListener) Accept() (net.Conn, error) {
	var s *socket.Socket
	side := &l.pd.read
	side.mu.Lock()
	_, err := l.pd.do(side, func() (_ int, err error) {
		for {
			// A connection that was given up in the queue is not the caller's.
			if s, err = l.s.Accept(socket.O_NONBLOCK); err != errno.ECONNABORTED {
				return 0, err
			}
		}
	})
	side.mu.Unlock()
	if err != nil {
		return nil, l.opError("accept", wrap("accept", err))
	}
	c := &TCPConn{}
	c.init(s, l.network)
	remote, err := s.GetName(socket.AcceptName)
	if err == nil {
		err = c.setup(remote)
	}
	if err != nil {
		c.pd.close(s)
		s.Release()
		return nil, l.opError("accept", err)
	}
	return c, nil
}
