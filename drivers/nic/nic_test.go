package nic

import (
	"reflect"
	"testing"
)

func TestMAC(t *testing.T) {
	for _, tc := range []struct {
		mac     MAC
		text    string
		unicast bool
	}{
		{MAC{0x52, 0x54, 0, 0x12, 0x34, 0x56}, "52:54:00:12:34:56", true},
		{MAC{}, "00:00:00:00:00:00", false},
		{MAC{1, 0, 0x5e, 0, 0, 1}, "01:00:5e:00:00:01", false},
		{MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, "ff:ff:ff:ff:ff:ff", false},
	} {
		if got := tc.mac.String(); got != tc.text {
			t.Errorf("String = %q, want %q", got, tc.text)
		}
		if got := tc.mac.Unicast(); got != tc.unicast {
			t.Errorf("%v: Unicast = %v", tc.mac, got)
		}
	}
}

// TestStatsEachHasEveryCounter sets each field in turn: Each must show it, once.
func TestStatsEachHasEveryCounter(t *testing.T) {
	seen := map[string]bool{}
	for i := range reflect.TypeFor[Stats]().NumField() {
		var s Stats
		reflect.ValueOf(&s).Elem().Field(i).SetUint(7)
		field, shown := reflect.TypeFor[Stats]().Field(i).Name, 0
		s.Each(func(name string, v uint64) {
			if v == 0 {
				return
			}
			shown++
			if seen[name] {
				t.Errorf("%s: the name %q is used twice", field, name)
			}
			seen[name] = true
		})
		if shown != 1 {
			t.Errorf("%s is shown %d times, want once", field, shown)
		}
	}
}
