package pci

import "github.com/tamanet/tamanet/drivers/mmio"

// Scan returns the functions, those of bus 0 first and in the order of their
// addresses. Each of their BARs is sized, for which a function's memory is
// away for a moment: call it before drivers run. Functions with a header that is not of
// a device are left out, bridges are followed.
func (b *Bus) Scan() []*Function {
	b.functions, b.bridges = nil, nil
	last := 0
	for bus := 0; bus <= last; bus++ {
		for device := range 32 {
			last = max(last, b.scanDevice(bus, device))
		}
	}
	return b.functions
}

// scanDevice adds a device's functions and returns the highest bus number behind
// it. A number not above bus is not followed, so that the scan is of each bus once.
func (b *Bus) scanDevice(bus, device int) (last int) {
	functions := 1
	for n := 0; n < functions; n++ {
		a := NewAddress(bus, device, n)
		cfg := b.Config(a)
		if cfg.Size() < ConfigSize || cfg.Read16(regVendor) == noVendor {
			if n == 0 {
				return 0
			}
			continue
		}
		header := cfg.Read8(regHeaderType)
		if n == 0 && header&headerMulti != 0 {
			functions = 8
		}
		switch header & headerMask {
		case headerNormal:
			b.functions = append(b.functions, newFunction(b, a, cfg))
		case headerBridge:
			// Primary, secondary and subordinate bus number, and the latency timer.
			if behind := cfg.Read32(regPrimaryBus); int(behind>>8&0xff) > bus {
				last = max(last, int(behind>>16&0xff))
			}
			b.bridges = append(b.bridges, windows(cfg)...)
		}
	}
	return last
}

func newFunction(b *Bus, a Address, cfg mmio.Region) *Function {
	f := &Function{
		Address: a, Vendor: cfg.Read16(regVendor), Device: cfg.Read16(regDevice),
		Subsystem: cfg.Read16(regSubsystem), Class: cfg.Read32(regRevision) >> 8,
		Pin: cfg.Read8(regInterruptPin), bus: b, cfg: cfg,
	}
	// What is behind a host or ISA bridge, as the console, is not taken away.
	if f.Class>>16 != classBridge {
		f.size()
	}
	return f
}

// windows returns what a bridge passes on (PCI-to-PCI Bridge 1.2 §3.2.5.8 and
// §3.2.5.9): memory, and memory that can be prefetched.
func windows(cfg mmio.Region) (w []Window) {
	mem, prefetch := cfg.Read32(regMemoryBase), cfg.Read32(regPrefetchBase)
	upper := cfg.Read32(regPrefetchUpper)
	limitUpper := cfg.Read32(regPrefetchUpper + 4)
	if prefetch&0xf != 1 { // not of 64 bits
		upper, limitUpper = 0, 0
	}
	for _, v := range []struct{ base, limit uint64 }{
		{uint64(mem&0xfff0) << 16, uint64(mem&0xfff0_0000 | 0xf_ffff)},
		{uint64(upper)<<32 | uint64(prefetch&0xfff0)<<16, uint64(limitUpper)<<32 | uint64(prefetch&0xfff0_0000|0xf_ffff)},
	} {
		if v.base < v.limit {
			w = append(w, Window{v.base, v.limit + 1})
		}
	}
	return w
}
