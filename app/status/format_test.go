package main

import (
	"math"
	"testing"
	"time"
)

func TestFormats(t *testing.T) {
	tests := []struct{ got, want string }{
		{formatCount(0), "0"},
		{formatCount(999), "999"},
		{formatCount(1000), "1,000"},
		{formatCount(-1), "-1"},
		{formatCount(-999), "-999"},
		{formatCount(-1000), "-1,000"},
		{formatCount(uint64(1234567)), "1,234,567"},
		{formatCount(uint64(math.MaxUint64)), "18,446,744,073,709,551,615"},

		{formatBytes(0), "0 B"},
		{formatBytes(1023), "1023 B"},
		{formatBytes(1024), "1 KiB"},
		{formatBytes(1536), "1.5 KiB"},
		{formatBytes(1<<20 - 1), "1 MiB"},
		{formatBytes(128 << 20), "128 MiB"},
		{formatBytes(1000 << 20), "1000 MiB"},
		{formatBytes(math.MaxUint64), "16 EiB"},

		{formatSeconds(0), "0 s"},
		{formatSeconds(42e-6), "42 µs"},
		{formatSeconds(0.0015), "1.5 ms"},
		{formatSeconds(0.99997), "1 s"},
		{formatSeconds(59.9), "59 s"},
		{formatSeconds(60), "1 min 0 s"},
		{formatSeconds(3599), "59 min 59 s"},
		{formatSeconds(3600 + 120), "1 h 2 min"},
		{formatSeconds(86400 * 400), "400 d 0 h"},

		{formatTime(time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600))), "2026-01-02 02:04:05 UTC"},
	}
	for i, test := range tests {
		if test.got != test.want {
			t.Errorf("%d: got %q, want %q", i, test.got, test.want)
		}
	}
}

func TestPercent(t *testing.T) {
	tests := []struct {
		part, whole uint64
		want        int
	}{
		{0, 0, 0},
		{1, 0, 0},
		{1, 3, 33},
		{2, 3, 67},
		{1 << 40, 1 << 41, 50},
		{math.MaxUint64, math.MaxUint64, 100},
	}
	for _, test := range tests {
		if got := percent(test.part, test.whole); got != test.want {
			t.Errorf("percent(%d, %d) = %d, want %d", test.part, test.whole, got, test.want)
		}
	}
}
