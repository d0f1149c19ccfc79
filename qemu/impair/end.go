package impair

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
)

// stream is an End over a connection.
type stream struct {
	net.Conn
	in  *bufio.Reader
	out []byte
}

// Stream returns the end of a connection to QEMU's stream netdev: each frame goes behind its length, four bytes, most
// significant first (QEMU net/net.c, net_fill_rstate).
func Stream(conn net.Conn) End {
	return &stream{Conn: conn, in: bufio.NewReaderSize(conn, 1<<16)}
}

// Receive implements End. A length that no frame has is an error: what follows could not be told apart.
func (s *stream) Receive(buf []byte) (int, error) {
	var head [4]byte
	if _, err := io.ReadFull(s.in, head[:]); err != nil {
		return 0, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n == 0 || n > MaxFrame {
		return 0, fmt.Errorf("impair: a frame of %d bytes; allowed: 1 to %d", n, MaxFrame)
	}
	return io.ReadFull(s.in, buf[:n])
}

// Send implements End.
func (s *stream) Send(frame []byte) error {
	s.out = append(binary.BigEndian.AppendUint32(s.out[:0], uint32(len(frame))), frame...)
	_, err := s.Write(s.out)
	return err
}

// packets is an End over a file that holds packet borders.
type packets struct{ io.ReadWriteCloser }

// Packets returns the end of a file whose reads and writes are whole frames, such as that of a tap interface with
// IFF_NO_PI.
func Packets(f io.ReadWriteCloser) End { return packets{f} }

func (p packets) Receive(buf []byte) (int, error) { return p.Read(buf) }

func (p packets) Send(frame []byte) error {
	_, err := p.Write(frame)
	return err
}
