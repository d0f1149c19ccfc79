package enet_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/tamanet/tamanet/drivers/enet"
	"github.com/tamanet/tamanet/drivers/enet/enettest"
	"github.com/tamanet/tamanet/drivers/nic"
)

// sent records what a MAC sends.
type sent struct {
	h      *handler
	frames [][]byte
	sums   []bool
	maps   []int // lent pieces besides the receive buffers, while the frame is sent
}

func record(m *enettest.MAC, h *handler, rx int) *sent {
	s := &sent{h: h}
	m.OnSend(func(f enettest.Frame) {
		maps, _ := m.Mem.Live()
		h.update(func() {
			s.frames = append(s.frames, append([]byte(nil), f.Bytes...))
			s.sums = append(s.sums, f.Checksum)
			s.maps = append(s.maps, maps-rx)
		})
	})
	return s
}

func TestPiecesAreSentInPlaceOrCopied(t *testing.T) {
	m, h := enettest.New(), newHandler()
	s := record(m, h, 8)
	d := start(t, m, h, func(c *enet.Config) { c.RxRing, c.TxRing = 8, 32 })
	big := aligned(1400)
	for i := range big {
		big[i] = byte(i)
	}
	for _, tc := range []struct {
		name  string
		parts [][]byte
		lent  int
	}{
		{"one small", [][]byte{frame(60, 1)}, 0},
		{"header and aligned payload", [][]byte{frame(54, 2), big}, 1},
		{"header and payload that is not aligned", [][]byte{frame(54, 3), big[1:]}, 0},
		{"payload on 16 bytes", [][]byte{frame(54, 4), big[16:]}, 1},
		{"payload just too small", [][]byte{frame(54, 5), big[:255]}, 0},
		{"small, large, small, empty, large", [][]byte{frame(30, 6), big[:512], big[3:40], nil, big[512:1024]}, 2},
		{"everything in place", [][]byte{big[:512], big[512:]}, 2},
		{"many small ones", [][]byte{frame(20, 7), {1}, {2, 3}, {}, {4}, {5}, frame(30, 8)}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := &owner{h: h}
			n := len(s.frames)
			if err := d.Transmit(&nic.TxFrame{Parts: tc.parts, Owner: o}); err != nil {
				t.Fatal(err)
			}
			if len(s.frames) != n+1 || !bytes.Equal(s.frames[n], bytes.Join(tc.parts, nil)) {
				t.Fatal("a wrong frame was sent")
			}
			if s.maps[n] != tc.lent {
				t.Errorf("%d pieces were sent in place, want %d", s.maps[n], tc.lent)
			}
			h.wait(t, "the owner", func() bool { return o.done == 1 })
		})
	}
}

func TestChecksumIsLeftToTheMAC(t *testing.T) {
	m, h := enettest.New(), newHandler()
	s := record(m, h, 256)
	d := start(t, m, h, nil)
	header := frame(54, 0xaa)
	header[12], header[13] = 8, 0 // IPv4
	want := append([]byte(nil), header...)
	want[50], want[51] = 0, 0
	f := nic.TxFrame{Parts: [][]byte{header, aligned(1000)}, Owner: &owner{h: h}, Checksum: nic.Checksum{Start: 34, Offset: 16}}
	if err := d.Transmit(&f); err != nil {
		t.Fatal(err)
	}
	if !s.sums[0] || !bytes.Equal(s.frames[0][:54], want) {
		t.Errorf("sent % x, checksum %v", s.frames[0][:54], s.sums[0])
	}
	if header[50] != 0xaa {
		t.Error("the caller's memory was changed")
	}
	// Even where the whole frame could be sent in place.
	whole := aligned(1000)
	whole[50], whole[12] = 0xaa, 8
	f.Parts, f.Owner = [][]byte{whole}, &owner{h: h}
	if err := d.Transmit(&f); err != nil || s.frames[1][50] != 0 || whole[50] != 0xaa {
		t.Errorf("in one piece: %v, sent %#x, the caller's is %#x", err, s.frames[1][50], whole[50])
	}
	f.Checksum = nic.Checksum{Start: 998, Offset: 1}
	if err := d.Transmit(&f); !errors.Is(err, nic.ErrFrame) {
		t.Errorf("a checksum beyond the frame: %v", err)
	}
}

func TestTransmitErrorsAreCounted(t *testing.T) {
	m, h := enettest.New(), newHandler()
	m.OnSent = func(d enettest.Descriptor) enettest.Descriptor { d.Ext |= 1<<15 | 1<<10; return d } // TXE, late collision
	d := start(t, m, h, nil)
	for range 50 {
		if err := d.Transmit(&nic.TxFrame{Parts: [][]byte{frame(60, 0)}, Owner: &owner{h: h}}); err != nil {
			t.Fatal(err)
		}
	}
	d.Close()
	if s := d.Stats(); s.TxErrors < 49 || s.TxFrames != 50 {
		t.Errorf("%+v, want 50 sent and as many errors", s)
	}
}

func TestFrameThatNeedsMoreDescriptorsThanThereAre(t *testing.T) {
	m, h := enettest.New(), newHandler()
	m.SlowTx = true
	d := start(t, m, h, func(c *enet.Config) { c.TxRing = 8 })
	big := aligned(1400)
	parts := [][]byte{frame(20, 0), big[:256], {1}, big[256:512], {1}, big[512:768], {1}, big[768:1024]}
	// Eight pieces: it fits only into an empty ring.
	for i, want := range []error{nil, nic.ErrFull} {
		if err := d.Transmit(&nic.TxFrame{Parts: parts, Owner: &owner{h: h}}); err != want {
			t.Errorf("frame %d: %v, want %v", i, err, want)
		}
	}
	m.Send()
	h.wait(t, "TransmitReady", func() bool { return h.ready == 1 })
}
