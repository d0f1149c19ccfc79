package socket_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"testing"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/socket"
)

func FuzzParseSockaddr(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{2})
	f.Add([]byte{2, 0, 0, 80, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add(append([]byte{10, 0, 0, 80}, make([]byte, 24)...))
	f.Add([]byte("\x01\x00/run/socket"))
	f.Add(make([]byte, 129))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := socket.ParseSockaddr(b)
		if len(b) > socket.SizeofSockaddr {
			if err != errno.EINVAL {
				t.Fatalf("%d bytes: %v, want EINVAL", len(b), err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if int(a.Len) != len(b) {
			t.Fatalf("length %d of %d bytes", a.Len, len(b))
		}
		_ = a.String()
		again, err := socket.ParseSockaddr(a.Append(nil))
		if err != nil || again != a {
			t.Fatalf("%+v came back as %+v, %v", a, again, err)
		}
	})
}

func TestSockaddrLayout(t *testing.T) {
	want := binary.NativeEndian.AppendUint16(nil, socket.AF_INET)
	want = append(want, 0x1f, 0x90, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0)
	if got := lo(8080).Append(nil); !bytes.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
	if s := lo(8080).String(); s != "127.0.0.1:8080" {
		t.Error(s)
	}
}

func TestIterWalksBuffers(t *testing.T) {
	m := socket.Msghdr{Iov: [][]byte{make([]byte, 2), nil, make([]byte, 1), make([]byte, 4)}}
	it := m.Iter()
	n, err := it.Write([]byte("abcdefgHIJ"))
	if n != 7 || err != io.ErrShortWrite {
		t.Errorf("wrote %d, %v", n, err)
	}
	if got := string(bytes.Join(m.Iov, []byte("|"))); got != "ab||c|defg" {
		t.Errorf("buffers hold %q", got)
	}
	got, err := io.ReadAll(m.Iter())
	if string(got) != "abcdefg" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
	it = m.Iter()
	it.Truncate = true
	if n, err := it.Write(make([]byte, 100)); n != 100 || err != nil {
		t.Errorf("truncating: wrote %d, %v", n, err)
	}
	m.SetBuffer([]byte("keep"))
	it = m.Iter()
	it.Discard = true
	if n, _ := it.Write([]byte("xx")); n != 2 || it.Len() != 2 || string(m.Iov[0]) != "keep" {
		t.Errorf("discarding: %d taken, %d left, %q", n, it.Len(), m.Iov[0])
	}
}

// TestOptionBytes gives every option of every length and some values; none
// may panic, and what is not known must not succeed.
func FuzzSocketOption(f *testing.F) {
	task := newTask(f)
	f.Add(socket.SOL_SOCKET, socket.SO_LINGER, []byte{1, 0, 0, 0, 255, 255, 255, 255})
	f.Add(socket.SOL_SOCKET, socket.SO_RCVTIMEO, bytes.Repeat([]byte{0x7f}, 16))
	f.Add(socket.SOL_TCP, 4, []byte{0, 0, 0, 128})
	f.Add(socket.SOL_IP, 2, []byte{64})
	f.Add(-1, -1, []byte{})
	f.Fuzz(func(t *testing.T, level, name int, val []byte) {
		for _, typ := range []int{socket.SOCK_STREAM, socket.SOCK_DGRAM} {
			fd := open(t, task, typ)
			set := task.SetSockOpt(fd, level, name, val)
			n, get := task.GetSockOpt(fd, level, name, make([]byte, len(val)))
			if n > len(val) {
				t.Errorf("wrote %d of %d bytes", n, len(val))
			}
			if set == nil && get != nil {
				t.Errorf("level %d name %d can be set and not read: %v", level, name, get)
			}
			task.Close(fd)
		}
	})
}

func TestSocketsList(t *testing.T) {
	task := newTask(t)
	l, addr := listener(t, task)
	client, server := connected(t, task)
	if _, err := task.Send(client, []byte("12345"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := task.Recv(server, make([]byte, 1), socket.MSG_PEEK); err != nil {
		t.Fatal(err)
	}
	states := map[socket.State]int{}
	for _, i := range socket.Sockets() {
		states[i.State]++
		switch {
		case i.Protocol != "TCP":
			t.Errorf("protocol %q", i.Protocol)
		case i.State == socket.TCP_LISTEN && i.Local != addr:
			t.Errorf("listener at %v, want %v", i.Local, addr)
		case i.State == socket.TCP_ESTABLISHED && i.Peer.Port == 0:
			t.Errorf("no peer: %+v", i)
		}
	}
	if states[socket.TCP_LISTEN] != 1 || states[socket.TCP_ESTABLISHED] != 2 {
		t.Errorf("states %v", states)
	}
	var b bytes.Buffer
	if err := socket.WriteSockets(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"LISTEN", "ESTAB", addr.String(), "5"} {
		if !bytes.Contains(b.Bytes(), []byte(want)) {
			t.Errorf("no %q in\n%s", want, &b)
		}
	}
	task.Close(l)
}
