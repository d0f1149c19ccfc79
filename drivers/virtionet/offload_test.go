package virtionet_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/drivers/virtio"
	"github.com/tamanet/tamanet/drivers/virtionet"
	"github.com/tamanet/tamanet/drivers/virtionet/virtionettest"
)

// ip4 is an Ethernet frame with an IPv4 header that is right, and a payload.
func ip4(protocol byte, payload int) []byte {
	b := make([]byte, 34+payload)
	b[12], b[13] = 8, 0
	ip := b[14:34]
	ip[0], ip[8], ip[9] = 0x45, 64, protocol
	binary.BigEndian.PutUint16(ip[2:], uint16(len(b)-14))
	copy(ip[12:], []byte{10, 0, 0, 1, 10, 0, 0, 2})
	s := uint32(0)
	for i := 0; i < 20; i += 2 {
		s += uint32(binary.BigEndian.Uint16(ip[i:]))
	}
	binary.BigEndian.PutUint16(ip[10:], ^uint16(s+s>>16))
	for i := range b[34:] {
		b[34+i] = byte(i * 7)
	}
	return b
}

// ip6 is the same for IPv6.
func ip6(protocol byte, payload int) []byte {
	b := make([]byte, 54+payload)
	b[12], b[13] = 0x86, 0xdd
	b[14], b[20], b[21] = 0x60, protocol, 64
	binary.BigEndian.PutUint16(b[18:], uint16(payload))
	for i := range b[54:] {
		b[54+i] = byte(i * 7)
	}
	return b
}

func change(b []byte, f func(b []byte)) []byte {
	f(b)
	return b
}

// TestReceiveChecksum is about what the driver makes of the header.
func TestReceiveChecksum(t *testing.T) {
	const all = virtionet.FeatureGuestCsum
	valid := virtionettest.Header{Flags: virtionettest.DataValid}
	partial := func(start, offset uint16) virtionettest.Header {
		return virtionettest.Header{Flags: virtionettest.NeedsCsum, CsumStart: start, CsumOffset: offset}
	}
	for _, tc := range []struct {
		name     string
		features virtio.Features
		h        virtionettest.Header
		frame    []byte
		good     bool
		drop     bool
		complete bool // the driver does what the header asks for
	}{
		{"found right, TCP", all, valid, ip4(6, 40), true, false, false},
		{"found right, UDP over IPv6", all, valid, ip6(17, 40), true, false, false},
		{"nothing said", all, virtionettest.Header{}, ip4(6, 40), false, false, false},
		{"not negotiated", 0, valid, ip4(6, 40), false, false, false},
		{"not negotiated, partial", 0, partial(34, 16), ip4(6, 40), false, false, false},
		{"another protocol", all, valid, ip4(132, 40), false, false, false},
		{"IPv6 extension header", all, valid, ip6(0, 40), false, false, false},
		{"wrong IP checksum", all, valid, change(ip4(6, 40), func(b []byte) { b[24] ^= 1 }), false, false, false},
		{"fragment", all, valid, change(ip4(17, 40), func(b []byte) { b[20], b[24] = 0x20, b[24]-0x20 }), false, false, false},
		{"IP header beyond the frame", all, valid, change(ip4(6, 0), func(b []byte) { b[14] = 0x4f }), false, false, false},
		{"IP header of 4 bytes", all, valid, change(ip4(6, 40), func(b []byte) { b[14] = 0x41 }), false, false, false},
		{"VLAN tag", all, valid, change(ip4(6, 40), func(b []byte) { b[12] = 0x81 }), false, false, false},
		{"ARP", all, valid, change(ip4(6, 40), func(b []byte) { b[13] = 6 }), false, false, false},
		{"partial, TCP", all, partial(34, 16), ip4(6, 40), true, false, false},
		{"partial, UDP over IPv6", all, partial(54, 6), ip6(17, 40), true, false, false},
		{"partial, somewhere else", all, partial(42, 6), ip4(17, 41), false, false, true},
		{"partial, another protocol", all, partial(34, 8), ip4(132, 41), false, false, true},
		{"partial, up to the last byte", all, partial(34, 38), ip4(132, 40), false, false, true},
		{"partial, beyond the last byte", all, partial(34, 39), ip4(132, 40), false, true, false},
		{"partial, start beyond the frame", all, partial(0xffff, 0), ip4(6, 40), false, true, false},
		{"partial, offset wraps", all, partial(34, 0xffff), ip4(6, 40), false, true, false},
		{"partial, in the Ethernet header", all, partial(13, 0), ip4(6, 40), false, true, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRigOffering(t, 16, tc.features, 0)
			want := bytes.Clone(tc.frame)
			if tc.complete {
				tc.h.Perform(want, func([]byte) {})
			}
			r.DeliverRaw(tc.h, tc.frame)
			r.echo(t, "next")
			if tc.drop {
				if s := r.dev.Stats(); len(r.frames) != 1 || s.RxOffload != 1 || r.logged("with the header") != 1 {
					t.Errorf("%d frames came up, counters %+v, log %q", len(r.frames)-1, s, r.logs)
				}
				return
			}
			if len(r.frames) != 2 || r.good[0] != tc.good || !bytes.Equal(r.frames[0], want) {
				t.Fatalf("ChecksumGood of %d is %v, want %v; frame\n%x, want\n%x", len(r.frames)-1, r.good[0], tc.good, r.frames[0], want)
			}
			if s := r.dev.Stats(); (s.RxChecksum == 1) != tc.good || s.RxOffload != 0 {
				t.Errorf("counters are %+v", s)
			}
		})
	}
}

// taken returns the header and bytes of the frame that the driver has transmitted.
func (r *rig) taken(t *testing.T) (h []byte, frame []byte) {
	t.Helper()
	r.Work(func() {
		c, ok, err := r.Queue(1).Next()
		if !ok || err != nil {
			t.Fatalf("device finds no frame: %v", err)
		}
		b := bytes.Join(c.Out, nil)
		h, frame = b[:12], b[12:]
		r.Queue(1).Finish(uint32(c.Head), 0)
	})
	return h, frame
}

func TestTransmitOffloads(t *testing.T) {
	const tso = virtionet.FeatureCsum | virtionet.FeatureHostTSO4 | virtionet.FeatureHostTSO6
	sum4 := nic.Checksum{Start: 34, Offset: 16}
	seg := func(typ nic.SegmentType, header, size uint16) nic.Segmentation {
		return nic.Segmentation{Type: typ, HeaderLen: header, Size: size}
	}
	ecn := seg(nic.SegmentTCP4, 54, 1460)
	ecn.ECN = true
	for _, tc := range []struct {
		name     string
		features virtio.Features
		disable  virtio.Features
		size     int
		sum      nic.Checksum
		seg      nic.Segmentation
		want     string // the header, "" for a refusal
	}{
		{"nothing", tso, 0, 1514, nic.Checksum{}, nic.Segmentation{}, "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"},
		{"checksum", tso, 0, 1514, sum4, nic.Segmentation{}, "\x01\x00\x00\x00\x00\x00\x22\x00\x10\x00\x00\x00"},
		{"checksum up to the last byte", tso, 0, 52, sum4, nic.Segmentation{}, "\x01\x00\x00\x00\x00\x00\x22\x00\x10\x00\x00\x00"},
		{"checksum beyond it", tso, 0, 51, sum4, nic.Segmentation{}, ""},
		{"checksum in the Ethernet header", tso, 0, 60, nic.Checksum{Start: 13}, nic.Segmentation{}, ""},
		{"checksum not offered", 0, 0, 1514, sum4, nic.Segmentation{}, ""},
		{"checksum disabled", tso, virtionet.FeatureCsum, 1514, sum4, nic.Segmentation{}, ""},
		{"TSO4", tso, 0, 60000, sum4, seg(nic.SegmentTCP4, 54, 1460), "\x01\x01\x36\x00\xb4\x05\x22\x00\x10\x00\x00\x00"},
		{"TSO6", tso, 0, 60000, nic.Checksum{Start: 54, Offset: 16}, seg(nic.SegmentTCP6, 74, 1440), "\x01\x04\x4a\x00\xa0\x05\x36\x00\x10\x00\x00\x00"},
		{"TSO4 with CWR", tso | virtionet.FeatureHostECN, 0, 60000, sum4, ecn, "\x01\x81\x36\x00\xb4\x05\x22\x00\x10\x00\x00\x00"},
		{"CWR not offered", tso, 0, 60000, sum4, ecn, ""},
		{"CWR disabled", tso | virtionet.FeatureHostECN, virtionet.FeatureHostECN, 60000, sum4, ecn, ""},
		{"the longest", tso, 0, nic.MaxSegmented, sum4, seg(nic.SegmentTCP4, 54, 1460), "\x01\x01\x36\x00\xb4\x05\x22\x00\x10\x00\x00\x00"},
		{"too long", tso, 0, nic.MaxSegmented + 1, sum4, seg(nic.SegmentTCP4, 54, 1460), ""},
		{"long without a segmentation", tso, 0, 60000, sum4, nic.Segmentation{}, ""},
		{"TSO4 without a checksum", tso, 0, 60000, nic.Checksum{}, seg(nic.SegmentTCP4, 54, 1460), ""},
		{"TSO4 into nothing", tso, 0, 60000, sum4, seg(nic.SegmentTCP4, 54, 0), ""},
		{"TSO4 into more than the MTU", tso, 0, 60000, sum4, seg(nic.SegmentTCP4, 54, 1465), ""},
		{"TSO4 with the checksum in the payload", tso, 0, 60000, sum4, seg(nic.SegmentTCP4, 51, 1400), ""},
		{"TSO4 of less than its headers", tso, 0, 60, sum4, seg(nic.SegmentTCP4, 61, 1400), ""},
		{"TSO4 not offered", tso &^ virtionet.FeatureHostTSO4, 0, 60000, sum4, seg(nic.SegmentTCP4, 54, 1460), ""},
		{"TSO6 disabled", tso, virtionet.FeatureHostTSO6, 60000, sum4, seg(nic.SegmentTCP6, 54, 1440), ""},
		{"TSO4 with checksums disabled", tso, virtionet.FeatureCsum, 60000, sum4, seg(nic.SegmentTCP4, 54, 1460), ""},
		{"no such type", tso, 0, 60000, sum4, seg(9, 54, 1460), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRigOffering(t, 16, tc.features, tc.disable)
			frame := ip4(6, tc.size-34)
			err := r.dev.Transmit(&nic.TxFrame{Parts: [][]byte{frame}, Owner: r, Checksum: tc.sum, Segmentation: tc.seg})
			if tc.want == "" {
				if s := r.dev.Stats(); !errors.Is(err, nic.ErrFrame) || s.TxInvalid != 1 {
					t.Errorf("Transmit = %v, want ErrFrame; counters %+v", err, s)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			h, got := r.taken(t)
			if string(h) != tc.want || !bytes.Equal(got, frame) {
				t.Errorf("device got the header %x and %d bytes, want %x and %d", h, len(got), tc.want, len(frame))
			}
			s := r.dev.Stats()
			if (s.TxChecksum == 1) != (tc.want[0] != 0) || (s.TxSegmented == 1) != (tc.want[1] != 0) {
				t.Errorf("counters are %+v", s)
			}
		})
	}
}

// TestHeadersAreTheFramesOwn has several frames with different headers under way.
func TestHeadersAreTheFramesOwn(t *testing.T) {
	r := newRigOffering(t, 16, virtionet.FeatureCsum, 0)
	for round := range 20 {
		for i := range 3 {
			f := nic.TxFrame{Parts: [][]byte{ip4(6, 100)}, Owner: r, Checksum: nic.Checksum{Start: uint16(34 + i + round), Offset: 16}}
			if err := r.dev.Transmit(&f); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 3 {
			if h, _ := r.taken(t); int(h[6]) != 34+i+round {
				t.Errorf("round %d, frame %d: csum_start is %d, want %d", round, i, h[6], 34+i+round)
			}
		}
	}
}

func TestFeaturesComeWithWhatTheyNeed(t *testing.T) {
	const base = virtio.FeatureVersion1 | virtionet.FeatureMAC | virtionet.FeatureMTU | virtionet.FeatureStatus
	for _, tc := range []struct {
		name                    string
		offered, disabled, want virtio.Features
	}{
		{"all", every, 0, every},
		{"all but checksums", every, virtionet.FeatureCsum, virtionet.FeatureGuestCsum | large | rings | commands},
		{"all but mergeable buffers", every, virtionet.FeatureMrgRxbuf, offloads | rings | commands},
		{"large receive without checksums offered", large, 0, virtionet.FeatureMrgRxbuf},
		{"ECN without large receive", every, virtionet.FeatureGuestTSO4 | virtionet.FeatureGuestTSO6, offloads | virtionet.FeatureMrgRxbuf | rings | commands},
		{"TSO4 without checksums offered", virtionet.FeatureHostTSO4, 0, 0},
		{"ECN without TSO", virtionet.FeatureCsum | virtionet.FeatureHostECN, 0, virtionet.FeatureCsum},
		{"commands without a queue for them", every, virtionet.FeatureCtrlVQ, every &^ commands},
		{"unknown ones", 1 << 60, 0, 0},
		{"everything disabled", every, ^virtio.Features(0), 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRigOffering(t, 16, tc.offered, tc.disabled)
			want := base | tc.want
			if tc.disabled == ^virtio.Features(0) {
				want = virtio.FeatureVersion1
			}
			if got := r.Accepted(); got != want {
				t.Errorf("driver accepts %#x, want %#x", uint64(got), uint64(want))
			}
			r.NeedReset()
			r.echo(t, "after a reset")
			if got := r.Accepted(); got != want {
				t.Errorf("driver accepts %#x after a reset, want %#x", uint64(got), uint64(want))
			}
		})
	}
}

func TestParseFeatures(t *testing.T) {
	for _, tc := range []struct {
		list string
		want virtio.Features
		ok   bool
	}{
		{"csum", virtionet.FeatureCsum, true},
		{"tso4,tso6", virtionet.FeatureHostTSO4 | virtionet.FeatureHostTSO6, true},
		{"all", every, true},
		{"", 0, false},
		{"csum,", 0, false},
		{"TSO4", 0, false},
		{"mac", 0, false},
	} {
		got, err := virtionet.ParseFeatures(tc.list)
		if got != tc.want || (err == nil) != tc.ok {
			t.Errorf("ParseFeatures(%q) = %#x, %v, want %#x", tc.list, uint64(got), err, uint64(tc.want))
		}
	}
	for _, name := range virtionet.FeatureNames() {
		if f, err := virtionet.ParseFeatures(name); f == 0 || err != nil || !every.Has(f) {
			t.Errorf("ParseFeatures(%q) = %#x, %v", name, uint64(f), err)
		}
	}
}
