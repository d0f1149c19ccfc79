package socket_test

import (
	"bytes"
	"testing"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/socket"
)

// FuzzNextCmsg walks arbitrary bytes: each message lies within them, the walk
// ends, and what was found can be written and found again.
func FuzzNextCmsg(f *testing.F) {
	f.Add([]byte{})
	f.Add(socket.AppendCmsg(nil, 1, 2, []byte("abc")))
	f.Add(socket.AppendCmsg(socket.AppendCmsg(nil, 1, 2, nil), 3, 4, []byte("12345678")))
	f.Fuzz(func(t *testing.T, b []byte) {
		var again []byte
		var all []socket.Cmsg
		for rest := b; ; {
			c, next, ok, err := socket.NextCmsg(rest)
			if err != nil && err != errno.EINVAL {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			if len(next) >= len(rest) || len(c.Data) > len(rest)-socket.SizeofCmsghdr {
				t.Fatalf("%d bytes of data and %d left of %d", len(c.Data), len(next), len(rest))
			}
			again = socket.AppendCmsg(again, c.Level, c.Type, c.Data)
			all = append(all, c)
			rest = next
		}
		for _, want := range all {
			c, next, ok, err := socket.NextCmsg(again)
			if !ok || err != nil || c.Level != want.Level || c.Type != want.Type || !bytes.Equal(c.Data, want.Data) {
				t.Fatalf("%+v came back as %+v, %v", want, c, err)
			}
			again = next
		}
	})
}

// TestPutCmsgCutsWhatHasNoRoom stores a message of ten bytes in every room.
func TestPutCmsgCutsWhatHasNoRoom(t *testing.T) {
	data := []byte("0123456789")
	for room := range socket.CmsgSpace(len(data)) + 2 {
		m := socket.Msghdr{Control: make([]byte, room)}
		m.PutCmsg(1, 2, data)
		c, _, ok, err := socket.NextCmsg(m.Control[:m.Controllen])
		whole := room >= socket.CmsgLen(len(data))
		switch {
		case err != nil:
			t.Errorf("room %d: %v", room, err)
		case ok != (room >= socket.SizeofCmsghdr):
			t.Errorf("room %d: stored %v", room, ok)
		case whole != (m.Flags&socket.MSG_CTRUNC == 0):
			t.Errorf("room %d: flags %#x", room, m.Flags)
		case ok && string(c.Data) != string(data[:min(len(data), room-socket.SizeofCmsghdr)]):
			t.Errorf("room %d: %q", room, c.Data)
		}
	}
}
