package virtionet_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/drivers/virtio"
	"github.com/tamanet/tamanet/drivers/virtionet"
	"github.com/tamanet/tamanet/drivers/virtionet/virtionettest"
)

// piece is what a device writes into one buffer, and says it has written.
type piece struct {
	b       []byte
	claimed int // len(b) when 0
}

// pieces has the device use one buffer for each of ps.
func (r *rig) pieces(t *testing.T, ps ...piece) {
	t.Helper()
	r.Work(func() {
		q := r.Queue(0)
		for _, p := range ps {
			c, ok, err := q.Next()
			if !ok || err != nil {
				t.Fatalf("device finds no buffer: %v", err)
			}
			copy(c.In[0], p.b)
			n := len(p.b)
			if p.claimed != 0 {
				n = p.claimed
			}
			q.Use(uint32(c.Head), uint32(n))
		}
		q.Publish()
		q.Interrupt()
	})
}

// mergeHeader is a header in wire form.
func mergeHeader(h virtionettest.Header) []byte {
	b := []byte{h.Flags, h.GSOType}
	for _, v := range []uint16{h.HdrLen, h.GSOSize, h.CsumStart, h.CsumOffset, h.NumBuffers} {
		b = binary.LittleEndian.AppendUint16(b, v)
	}
	return b
}

// TestMergedFrames has frames lie in buffers as a device likes.
func TestMergedFrames(t *testing.T) {
	for _, tc := range []struct {
		name string
		cuts []int // of the frame: how much of it lies in each buffer but the last
		h    virtionettest.Header
	}{
		{"one buffer", nil, virtionettest.Header{}},
		{"only the Ethernet header in the first", []int{14}, virtionettest.Header{}},
		{"byte by byte", []int{60, 1, 1, 1, 1}, virtionettest.Header{}},
		{"checksum completed", []int{100}, virtionettest.Header{Flags: 1, CsumStart: 42, CsumOffset: 6}},
		{"checksum completed over odd parts", []int{43, 2, 3, 1, 1, 8}, virtionettest.Header{Flags: 1, CsumStart: 42, CsumOffset: 6}},
		{"checksum completed from within a later part", []int{40, 9}, virtionettest.Header{Flags: 1, CsumStart: 45, CsumOffset: 3}},
		{"checksum field in two parts", []int{41, 8}, virtionettest.Header{Flags: 1, CsumStart: 42, CsumOffset: 6}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRigOffering(t, 16, every, 0)
			frame := ip4(132, 333)
			want := bytes.Clone(frame)
			tc.h.Perform(want, func([]byte) {})
			tc.h.NumBuffers = uint16(len(tc.cuts) + 1)
			b := append(mergeHeader(tc.h), frame...)
			var ps []piece
			for i, n := range tc.cuts {
				if i == 0 {
					n += 12
				}
				ps = append(ps, piece{b: b[:n]})
				b = b[n:]
			}
			r.pieces(t, append(ps, piece{b: b})...)
			r.echo(t, "next")
			if len(r.frames) != 2 || !bytes.Equal(r.frames[0], want) {
				t.Errorf("came up as %d frames\n%x, want\n%x", len(r.frames)-1, r.frames[0], want)
			}
			if s := r.dev.Stats(); s.RxFrames != 2 || s.RxBytes != uint64(len(want)+60) {
				t.Errorf("counters are %+v", s)
			}
		})
	}
}

// TestLargeReceive is about frames longer than the MTU.
func TestLargeReceive(t *testing.T) {
	gso := func(typ uint8, size uint16) virtionettest.Header {
		return virtionettest.Header{Flags: 1, GSOType: typ, GSOSize: size, HdrLen: 54, CsumStart: 34, CsumOffset: 16}
	}
	most := nic.MaxSegmented - 34
	for _, tc := range []struct {
		name    string
		offered virtio.Features
		ring    uint32
		h       virtionettest.Header
		payload int
		good    bool
	}{
		{"TCP over IPv4", every, 256, gso(1, 1460), 30000, true},
		{"TCP over IPv6", every, 256, gso(4, 1440), 30000, true},
		{"with CWR", every, 256, gso(0x81, 1460), 30000, true},
		{"the longest", every, 256, gso(1, 1460), most, true},
		{"the longest in a tiny ring", every, 4, gso(1, 1460), most, true},
		{"longer", every, 256, gso(1, 1460), most + 1, false},
		{"long without a type", every, 256, gso(0, 0), 1500, false},
		{"without a size", every, 256, gso(1, 0), 30000, false},
		{"another type", every, 256, gso(3, 1460), 30000, false},
		{"ECN without a type", every, 256, gso(0x80, 1460), 1000, false},
		{"TCP over IPv4 not negotiated", every &^ virtionet.FeatureGuestTSO4, 256, gso(1, 1460), 30000, false},
		{"TCP over IPv6 not negotiated", every &^ virtionet.FeatureGuestTSO6, 256, gso(4, 1440), 30000, false},
		{"CWR not negotiated", every &^ virtionet.FeatureGuestECN, 256, gso(0x81, 1460), 30000, false},
		{"nothing but mergeable buffers", virtionet.FeatureMrgRxbuf, 256, gso(1, 1460), 30000, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRigOffering(t, tc.ring, tc.offered, 0)
			frame := ip4(6, tc.payload)
			if !r.DeliverWaitRaw(tc.h, frame) {
				t.Fatal("device finds no room")
			}
			r.echo(t, "next")
			s := r.dev.Stats()
			if !tc.good {
				if len(r.frames) != 1 || s.RxLength+s.RxOffload != 1 {
					t.Errorf("%d frames came up, counters %+v", len(r.frames)-1, s)
				}
				return
			}
			if len(r.frames) != 2 || !bytes.Equal(r.frames[0], frame) || s.RxSegmented != 1 {
				t.Errorf("%d frames came up, counters %+v", len(r.frames)-1, s)
			}
		})
	}
}

// TestBadMergesAreDropped: one frame is lost, or what its device says belongs to it, and the
// next but one comes up again.
func TestBadMergesAreDropped(t *testing.T) {
	head := func(n uint16) []byte { return append(mergeHeader(virtionettest.Header{NumBuffers: n}), ip4(6, 100)...) }
	tail := piece{b: make([]byte, 50)}
	for _, tc := range []struct {
		name    string
		pieces  []piece
		dropped uint64
		up      int
	}{
		{"no buffers", []piece{{b: head(0)}}, 1, 0},
		{"more buffers than the ring", []piece{{b: head(17)}}, 1, 0},
		{"as many buffers as fit the field", []piece{{b: head(65535)}}, 1, 0},
		{"first part without a header", []piece{{b: head(2), claimed: 11}, {b: head(1)}}, 1, 1},
		{"first part without a frame", []piece{{b: head(2), claimed: 25}, tail}, 1, 0},
		{"second part is empty", []piece{{b: head(3)}, {}, tail}, 1, 0},
		{"second part is longer than its buffer", []piece{{b: head(2)}, {b: make([]byte, 9), claimed: 4000}}, 1, 0},
		{"in all more than a frame", []piece{{b: head(3)}, {b: make([]byte, 1500)}, tail}, 1, 0},
		{"bad, then good", []piece{{b: head(3)}, {}, tail, {b: head(1)}}, 1, 1},
		{"in two polls", nil, 0, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRigOffering(t, 16, every, 0)
			if tc.pieces == nil {
				r.pieces(t, piece{b: head(2)})
				r.spin(t, "the end of the poll", func() bool { return !r.Line.Pending() && !r.Queue(0).NoInterrupt() })
				r.pieces(t, tail)
			} else {
				r.pieces(t, tc.pieces...)
			}
			r.echo(t, "next")
			if s := r.dev.Stats(); s.RxLength != tc.dropped || s.RxFrames != uint64(tc.up+1) || s.Resets != 0 {
				t.Errorf("counters are %+v", s)
			}
			if len(r.frames) != tc.up+1 {
				t.Errorf("%d frames came up", len(r.frames))
			}
		})
	}
}

// TestMergeWithoutMemory has the memory run out within a frame: it is dropped once, whole.
func TestMergeWithoutMemory(t *testing.T) {
	r := newRigOffering(t, 16, every, 0)
	b := append(mergeHeader(virtionettest.Header{NumBuffers: 3}), ip4(6, 100)...)
	r.pieces(t, piece{b: b})
	r.spin(t, "the first part", func() bool { return r.Queue(0).Available() == 16-1+1 })
	r.update(func() { r.starve = true })
	r.pieces(t, piece{b: make([]byte, 100)}, piece{b: make([]byte, 100)})
	r.spin(t, "both other parts", func() bool { return r.Queue(0).Available() == 16 })
	r.update(func() { r.starve = false })
	r.echo(t, "next")
	if s := r.dev.Stats(); s.RxNoBuffer != 1 || s.RxFrames != 1 || len(r.frames) != 1 {
		t.Errorf("counters are %+v", s)
	}
}

// TestResetWithinAFrame must neither lose its buffers nor take the next frame for its rest.
func TestResetWithinAFrame(t *testing.T) {
	r := newRigOffering(t, 16, every, 0)
	r.pieces(t, piece{b: append(mergeHeader(virtionettest.Header{NumBuffers: 2}), ip4(6, 100)...)})
	r.spin(t, "the first part", func() bool { return r.Queue(0).Available() == 16 })
	r.NeedReset()
	r.echo(t, "after")
	if len(r.frames) != 1 {
		t.Errorf("%d frames came up", len(r.frames))
	}
}

// TestSmallFramesAreCopied: their buffer goes back to the device.
func TestSmallFramesAreCopied(t *testing.T) {
	for _, tc := range []struct {
		size   int
		copied bool
	}{{60, true}, {256, true}, {257, false}, {1514, false}} {
		t.Run(fmt.Sprint(tc.size), func(t *testing.T) {
			r := newRigOffering(t, 4, virtionet.FeatureMrgRxbuf, 0)
			var room int
			r.update(func() { r.onFrame = func(f *nic.RxFrame) { room = len(f.Parts[0].Buffer.Bytes()) } })
			frame := ip4(6, tc.size-34)
			r.Deliver(frame)
			r.wait(t, "the frame", func() bool { return len(r.frames) == 1 })
			if !bytes.Equal(r.frames[0], frame) || (room == tc.size) != tc.copied {
				t.Errorf("%d bytes came up in a buffer of %d", len(r.frames[0]), room)
			}
		})
	}
}
