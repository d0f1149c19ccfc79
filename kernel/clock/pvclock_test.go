package clock

import (
	"encoding/binary"
	"math/big"
	"testing"
)

// pvclock writes a pvclock_vcpu_time_info.
func pvclock(version uint32, p PVClock) []byte {
	b := make([]byte, PVClockSize)
	binary.LittleEndian.PutUint32(b, version)
	binary.LittleEndian.PutUint64(b[8:], p.TSC)
	binary.LittleEndian.PutUint64(b[16:], p.NS)
	binary.LittleEndian.PutUint32(b[24:], p.Mul)
	b[28] = byte(p.Shift)
	return b
}

func TestFindKVM(t *testing.T) {
	for _, tc := range []struct {
		name  string
		at    uint32
		max   uint32
		sign  [3]uint32
		first uint32
		last  uint32
		ok    bool
	}{
		{"alone", 0x4000_0000, 0x4000_0001, [3]uint32{0x4b4d564b, 0x564b4d56, 0x4d}, 0x4000_0000, 0x4000_0001, true},
		{"behind Hyper-V's", 0x4000_0100, 0x4000_0101, [3]uint32{0x4b4d564b, 0x564b4d56, 0x4d}, 0x4000_0100, 0x4000_0101, true},
		{"an early one", 0x4000_0000, 0, [3]uint32{0x4b4d564b, 0x564b4d56, 0x4d}, 0x4000_0000, 0x4000_0001, true},
		{"TCG", 0x4000_0000, 0x4000_0001, [3]uint32{0x54474354, 0x43544743, 0x47435447}, 0, 0, false},
		{"nothing", 0, 0, [3]uint32{}, 0, 0, false},
	} {
		first, last, ok := FindKVM(func(leaf, _ uint32) (a, b, c, d uint32) {
			if leaf == tc.at {
				return tc.max, tc.sign[0], tc.sign[1], tc.sign[2]
			}
			return 0, 0, 0, 0
		})
		if first != tc.first || last != tc.last || ok != tc.ok {
			t.Errorf("%s: %#x to %#x, %v; want %#x to %#x, %v", tc.name, first, last, ok, tc.first, tc.last, tc.ok)
		}
	}
}

// TestPVClock has the numbers that KVM gives for some rates (Linux arch/x86/kvm/x86.c kvm_get_time_scale).
func TestPVClock(t *testing.T) {
	for _, tc := range []struct {
		hz    uint64
		mul   uint32
		shift int8
	}{
		{1_000_000_000, 0x8000_0000, 1},
		{2_500_000_000, 0xcccc_cccc, -1},
		{3_000_000_000, 0xaaaa_aaaa, -1},
		{800_000_000, 0xa000_0000, 1},
		{10_000_000_000, 0xcccc_cccc, -3},
		{100_000_000, 0xa000_0000, 4},
	} {
		const ns = 123_456_789
		p, ok := ParsePVClock(pvclock(4, PVClock{TSC: 1000, NS: ns, Mul: tc.mul, Shift: tc.shift}))
		if !ok {
			t.Fatalf("%d Hz is refused", tc.hz)
		}
		if hz := p.Rate(); hz < tc.hz-3 || hz > tc.hz+3 {
			t.Errorf("%d Hz: Rate is %d", tc.hz, hz)
		}
		for _, seconds := range []uint64{0, 1, 3600, 1e6} {
			want := ns + seconds*1e9
			if got := p.At(1000 + seconds*tc.hz); got > want || got < want-seconds-8 {
				t.Errorf("%d Hz: after %d s it is %d ns, want %d", tc.hz, seconds, got, want)
			}
		}
		if p.At(0) != ns {
			t.Errorf("%d Hz: before the beginning it is %d", tc.hz, p.At(0))
		}
	}
}

func TestPVClockRefused(t *testing.T) {
	good := PVClock{Mul: 1 << 31, Shift: 1}
	for _, tc := range []struct {
		name string
		b    []byte
	}{
		{"never written", pvclock(0, good)},
		{"being written", pvclock(3, good)},
		{"stands still", pvclock(2, PVClock{Shift: 1})},
		{"shift beyond a word", pvclock(2, PVClock{Mul: 1, Shift: 32})},
		{"shift far below", pvclock(2, PVClock{Mul: 1, Shift: -128})},
		{"too short", pvclock(2, good)[:31]},
	} {
		if p, ok := ParsePVClock(tc.b); ok {
			t.Errorf("%s: taken as %+v", tc.name, p)
		}
	}
}

func TestPVWallClock(t *testing.T) {
	write := func(version, sec, nsec uint32) []byte {
		b := make([]byte, PVWallClockSize)
		binary.LittleEndian.PutUint32(b, version)
		binary.LittleEndian.PutUint32(b[4:], sec)
		binary.LittleEndian.PutUint32(b[8:], nsec)
		return b
	}
	if ns, ok := ParsePVWallClock(write(2, 4_000_000_000, 999_999_999)); !ok || ns != 4_000_000_000_999_999_999 {
		t.Errorf("got %d, %v", ns, ok)
	}
	for _, b := range [][]byte{write(0, 1, 1), write(1, 1, 1), write(2, 0, 1), write(2, 1, 1e9), write(2, 1, 1)[:11]} {
		if ns, ok := ParsePVWallClock(b); ok {
			t.Errorf("%x: taken as %d", b, ns)
		}
	}
}

// FuzzPVClock compares with arithmetic that has no bounds.
func FuzzPVClock(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte, tsc uint64) {
		ParsePVWallClock(b)
		p, ok := ParsePVClock(b)
		if !ok {
			return
		}
		mul, ns := new(big.Int).SetUint64(uint64(p.Mul)), new(big.Int).SetUint64(p.NS)
		hz := new(big.Int).Lsh(big.NewInt(1e9), uint(32+max(0, -int(p.Shift))))
		hz.Div(hz, new(big.Int).Lsh(mul, uint(max(0, int(p.Shift)))))
		if got := p.Rate(); hz.IsUint64() && got != hz.Uint64() || !hz.IsUint64() && got != 0 {
			t.Errorf("%+v: Rate is %d, want %v", p, got, hz)
		}
		if tsc < p.TSC {
			tsc = p.TSC
		}
		delta := tsc - p.TSC
		if p.Shift > 0 && delta>>(64-p.Shift) != 0 {
			return // centuries ahead
		}
		want := new(big.Int).SetUint64(delta)
		want.Lsh(want, uint(max(0, int(p.Shift)))).Rsh(want, uint(max(0, -int(p.Shift))))
		want.Mul(want, mul).Rsh(want, 32).Add(want, ns)
		want.And(want, new(big.Int).SetUint64(^uint64(0)))
		if got := p.At(tsc); got != want.Uint64() {
			t.Errorf("%+v at %d: %d ns, want %v", p, tsc, got, want)
		}
	})
}
