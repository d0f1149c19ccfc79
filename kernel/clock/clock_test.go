package clock

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"
)

func TestRatioMatchesExactArithmetic(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))

	for range 10_000 {
		hz := 50e6 + rng.Uint64N(8e9)
		ticks := rng.Uint64N(hz * 86400 * 365)

		got := NewRatio(1e9, hz).Mul(ticks)
		exact := new(big.Int).Mul(big.NewInt(1e9), new(big.Int).SetUint64(ticks))
		exact.Div(exact, new(big.Int).SetUint64(hz))

		diff := math.Abs(float64(int64(got - exact.Uint64())))
		if diff > float64(exact.Uint64())*1e-9+1 {
			t.Fatalf("%d ticks of %d Hz: %d ns, want %v", ticks, hz, got, exact)
		}
	}
}

func TestRatioIsMonotonic(t *testing.T) {
	r := NewRatio(1e9, 3_000_000_001)
	last := uint64(0)
	for x := uint64(1 << 62); x < 1<<62+10_000; x++ {
		if v := r.Mul(x); v < last {
			t.Fatalf("Mul(%d) = %d after %d", x, v, last)
		} else {
			last = v
		}
	}
}

// fakeTime is a simulated machine: each reading of a counter takes time.
type fakeTime struct {
	ns    float64
	stall func(reading int) float64 // more nanoseconds before a reading
	reads int
}

func (f *fakeTime) counter(hz, cost float64, mask uint64) func() uint64 {
	return func() uint64 {
		f.ns += cost
		if f.reads++; f.stall != nil {
			f.ns += f.stall(f.reads)
		}
		return uint64(f.ns*hz/1e9) & mask
	}
}

func TestRate(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))

	for _, tt := range []struct {
		name  string
		hz    float64
		stall func(int) float64
	}{
		{"quiet", 2.1e9, nil},
		{"slow counter", 60e6, nil},
		{"busy host", 3.7e9, func(int) float64 {
			if rng.IntN(100) == 0 {
				return 200e3 // the host ran something else
			}
			return rng.Float64() * 500
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &fakeTime{stall: tt.stall}
			got := Rate(f.counter(tt.hz, 20, ^uint64(0)), f.counter(1193182, 1500, 0xffff), 0xffff, 11932, 1193182)
			if math.Abs(float64(got)/tt.hz-1) > 0.001 {
				t.Errorf("got %d Hz, want %.0f", got, tt.hz)
			}
			if tt.stall == nil && f.ns > 15e6 {
				t.Errorf("%.1f ms of the machine's time for measurements that overlap, of 10 ms each", f.ns/1e6)
			}
		})
	}
}

// TestRateOutlastsAStall has one stall that is longer than the reference's period, wherever a measurement may be.
func TestRateOutlastsAStall(t *testing.T) {
	const hz = 2.4e9
	for _, ns := range []float64{56e6, 80e6, 300e6} {
		for at := 1; at < 9000; at += 7 {
			f := &fakeTime{stall: func(n int) float64 {
				if n == at {
					return ns
				}
				return 0
			}}
			got := Rate(f.counter(hz, 20, ^uint64(0)), f.counter(1193182, 1500, 0xffff), 0xffff, 11932, 1193182)
			if math.Abs(float64(got)/hz-1) > 0.001 {
				t.Fatalf("%v ns before reading %d: got %d Hz, want %.0f", ns, at, got, hz)
			}
		}
	}
}

func TestRateOfAbsentReferenceIs0(t *testing.T) {
	f := new(fakeTime)
	if got := Rate(f.counter(2e9, 20, ^uint64(0)), func() uint64 { return 1 }, 0xffff, 11932, 1193182); got != 0 {
		t.Errorf("got %d Hz", got)
	}
}

func TestChooseRate(t *testing.T) {
	for _, tt := range []struct {
		name     string
		measured uint64
		stated   []uint64
		want     uint64
	}{
		{"nothing known", 0, nil, 0},
		{"measured only", 2_100_123_456, []uint64{0, 0}, 2_100_123_456},
		{"stated and confirmed", 2_100_123_456, []uint64{2_100_000_000}, 2_100_000_000},
		{"stated wrongly", 2_100_123_456, []uint64{1_000_000_000}, 2_100_123_456},
		{"the second one is confirmed", 2_100_123_456, []uint64{24_000_000, 2_100_000_000}, 2_100_000_000},
		{"stated only", 0, []uint64{0, 3e9}, 3e9},
		{"stated nonsense", 0, []uint64{1, 1e12}, 0},
		{"measured nonsense", 12, []uint64{3e9}, 3e9},
	} {
		if got := ChooseRate(tt.measured, tt.stated...); got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
	}
}

// fakeRTC has the registers of a real-time clock.
type fakeRTC struct {
	regs    map[uint8]uint8
	uip     int             // readings of status A with an update in progress
	onRead  func(reg uint8) // before each reading
	statusB uint8
}

func (f *fakeRTC) read(reg uint8) uint8 {
	if f.onRead != nil {
		f.onRead(reg)
	}
	switch reg {
	case rtcStatusA:
		if f.uip > 0 {
			f.uip--
			return 0x26 | statusAUIP
		}
		return 0x26
	case rtcStatusB:
		return f.statusB
	}
	return f.regs[reg]
}

// set makes the clock show a time in the format that status B asks for.
func (f *fakeRTC) set(tm time.Time) {
	enc := func(v int) uint8 {
		if f.statusB&statusBBinary != 0 {
			return uint8(v)
		}
		return uint8(v/10<<4 | v%10)
	}
	hour := enc(tm.Hour())
	if f.statusB&statusB24h == 0 {
		h := tm.Hour() % 12
		if h == 0 {
			h = 12
		}
		hour = enc(h)
		if tm.Hour() >= 12 {
			hour |= hoursPM
		}
	}
	f.regs = map[uint8]uint8{
		rtcSeconds: enc(tm.Second()), rtcMinutes: enc(tm.Minute()), rtcHours: hour,
		rtcDay: enc(tm.Day()), rtcMonth: enc(int(tm.Month())), rtcYear: enc(tm.Year() % 100),
		rtcCentury: enc(tm.Year() / 100),
	}
}

func TestReadRTCInAllFormats(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))

	for _, statusB := range []uint8{0, statusB24h, statusBBinary, statusB24h | statusBBinary} {
		for i := range 2000 {
			tm := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rng.Int64N(190*365*86400)) * time.Second)
			if i < 24 { // each hour at least once
				tm = time.Date(2024, 2, 29, i, 59, 59, 0, time.UTC)
			}
			f := &fakeRTC{statusB: statusB, uip: 5}
			f.set(tm)
			if got, ok := ReadRTC(f.read); !ok || got != tm.Unix() {
				t.Fatalf("status B %#x, %v: got %v, %v", statusB, tm, time.Unix(got, 0).UTC(), ok)
			}
		}
	}
}

func TestReadRTCWithoutCentury(t *testing.T) {
	tm := time.Date(2031, 7, 8, 9, 10, 11, 0, time.UTC)
	f := &fakeRTC{statusB: statusB24h}
	f.set(tm)
	f.regs[rtcCentury] = 0
	if got, ok := ReadRTC(f.read); !ok || got != tm.Unix() {
		t.Errorf("got %v, %v", time.Unix(got, 0).UTC(), ok)
	}
}

func TestReadRTCThatTicksMeanwhile(t *testing.T) {
	// The date changes after the seconds were read: a reading that is not
	// repeated would be a day off.
	before := time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC)
	f := &fakeRTC{statusB: statusB24h}
	f.set(before)
	hours := 0
	f.onRead = func(reg uint8) {
		if reg == rtcHours {
			if hours++; hours == 1 {
				f.set(before.Add(time.Second))
			}
		}
	}
	if got, ok := ReadRTC(f.read); !ok || got != before.Unix()+1 {
		t.Errorf("got %v, %v", time.Unix(got, 0).UTC(), ok)
	}
}

func TestReadRTCThatIsNone(t *testing.T) {
	for name, read := range map[string]func(uint8) uint8{
		"floating bus":    func(uint8) uint8 { return 0xff },
		"all zero":        func(uint8) uint8 { return 0 },
		"never stable":    func() func(uint8) uint8 { n := uint8(0); return func(uint8) uint8 { n = (n + 7) & 0x7f; return n } }(),
		"update for ever": (&fakeRTC{uip: math.MaxInt}).read,
	} {
		if got, ok := ReadRTC(read); ok {
			t.Errorf("%s: got %v", name, time.Unix(got, 0).UTC())
		}
	}
}
