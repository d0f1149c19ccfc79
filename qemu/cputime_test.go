package qemu

import (
	"testing"
	"time"
)

func TestParseCPUTime(t *testing.T) {
	for _, tt := range []struct {
		stat string
		want time.Duration
		ok   bool
	}{
		{"7 (qemu-system-x86) S 1 7 7 0 -1 4194560 9 0 0 0 120 30 0 0 20 0", 1500 * time.Millisecond, true},
		{"7 (a) 1 (b) S 1 7 7 0 -1 4194560 9 0 0 0 1 2 0 0 20 0", 30 * time.Millisecond, true},
		{"7 (qemu-system-x86) S 1 7", 0, false},
		{"7 (a) S 1 7 7 0 -1 4194560 9 0 0 0 x 30 0 0 20 0", 0, false},
		{"", 0, false},
	} {
		got, err := parseCPUTime([]byte(tt.stat))
		if ok := err == nil; ok != tt.ok || ok && got != tt.want {
			t.Errorf("%q: %v, %v; want %v", tt.stat, got, err, tt.want)
		}
	}
}
