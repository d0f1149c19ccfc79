package boot

import "testing"

func TestGC(t *testing.T) {
	const mib = 1 << 20
	for _, tc := range []struct {
		line    string
		percent int
	}{{"", growth}, {"GOGC=50", 50}, {"GOGC=off", -1}, {"GOGC=frob", growth}} {
		percent, limit := GC(64*mib, Parse(tc.line))
		if percent != tc.percent {
			t.Errorf("%q: %d percent, want %d", tc.line, percent, tc.percent)
		}
		if limit != 60*mib {
			t.Errorf("%q: the limit is %d of 64 MiB, want 60", tc.line, limit)
		}
	}
}
