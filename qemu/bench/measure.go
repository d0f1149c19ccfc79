package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tamanet/tamanet/qemu"
)

// A Measure is a line of the table.
type Measure struct {
	Key  string  `json:"key"`
	Name string  `json:"name"`
	Unit string  `json:"unit"`
	Less bool    `json:"less_is_better"`
	Aim  float64 `json:"aim,omitempty"` // ratio of tamanet to Linux that is aimed for; 0 is none
}

// Measures is all that is measured, in the order of the table: first what does not hang on the host's mood.
var Measures = []Measure{
	{Key: "i-boot", Name: "instructions to first HTTP response", Less: true, Aim: 0.1},
	{Key: "i-boot-packed", Name: "  self-extracting image", Less: true, Aim: 0.1},
	{Key: "i-http", Name: "instructions per HTTP request", Less: true},
	{Key: "i-fresh", Name: "instructions per fresh connection", Less: true},
	{Key: "i-udp", Name: "instructions per UDP round trip", Less: true},
	{Key: "i-in", Name: "instructions per KiB of TCP in", Less: true},
	{Key: "i-out", Name: "instructions per KiB of TCP out", Less: true},
	{Key: "image", Name: "image size", Unit: "B", Less: true, Aim: 0.25},
	{Key: "packed", Name: "  self-extracting image", Unit: "B", Less: true, Aim: 0.25},
	{Key: "ram", Name: "smallest RAM for 100 connections", Unit: "B", Less: true, Aim: 0.25},
	{Key: "idle-ram", Name: "idle: touched RAM", Unit: "B", Less: true},
	{Key: "idle-rss", Name: "idle: QEMU's resident memory", Unit: "B", Less: true},
	{Key: "idle-cpu", Name: "idle: host CPU", Unit: "%", Less: true},
	{Key: "boot", Name: "boot to first HTTP response", Unit: "s", Less: true, Aim: 0.1},
	{Key: "boot-packed", Name: "  self-extracting image", Unit: "s", Less: true, Aim: 0.1},
	{Key: "http-1", Name: "HTTP requests, 1 connection", Unit: "/s", Aim: 2},
	{Key: "http-1-p50", Name: "  p50", Unit: "s", Less: true},
	{Key: "http-1-p99", Name: "  p99", Unit: "s", Less: true},
	{Key: "http-16", Name: "HTTP requests, 16 connections", Unit: "/s", Aim: 2},
	{Key: "http-16-p50", Name: "  p50", Unit: "s", Less: true},
	{Key: "http-16-p99", Name: "  p99", Unit: "s", Less: true},
	{Key: "fresh", Name: "fresh connections", Unit: "/s"},
	{Key: "in-1", Name: "TCP in, 1 connection", Unit: "bit/s", Aim: 1.5},
	{Key: "in-8", Name: "TCP in, 8 connections", Unit: "bit/s", Aim: 1.5},
	{Key: "out-1", Name: "TCP out, 1 connection", Unit: "bit/s", Aim: 1.5},
	{Key: "out-8", Name: "TCP out, 8 connections", Unit: "bit/s", Aim: 1.5},
	{Key: "udp", Name: "UDP round trips", Unit: "/s", Aim: 1.5},
	{Key: "udp-p50", Name: "  p50", Unit: "s", Less: true},
	{Key: "udp-p99", Name: "  p99", Unit: "s", Less: true},
	{Key: "packets-in", Name: "64-byte packets in", Unit: "/s"},
	{Key: "packets-out", Name: "64-byte packets out", Unit: "/s"},
}

// bootLimit bounds a boot with the RAM of the loaded guests.
const bootLimit = 90 * time.Second

// round boots a guest and takes one sample of each measure of a running machine.
func (b *bench) round(ctx context.Context, g *Guest) error {
	m, took, err := b.answering(ctx, g)
	if err != nil {
		return err
	}
	b.record(g, "boot", took.Seconds())
	if g.Packed != nil {
		m.Stop()
		if m, took, err = b.answering(ctx, g.Packed); err != nil {
			return err
		}
	}
	b.record(g, "boot-packed", took.Seconds())
	defer m.Stop()
	steps := []func(context.Context, *Guest, *machine) error{b.idle, b.http, b.tcp, b.udp}
	if b.Net == NetWire {
		steps = steps[1:]
	}
	for _, step := range steps {
		if err := step(ctx, g, m); err != nil {
			return fmt.Errorf("%w; the console:\n%s", err, m.Console())
		}
	}
	return nil
}

// answering boots a guest and returns it once it has answered its first request, which took so long.
func (b *bench) answering(ctx context.Context, g *Guest, more ...string) (*machine, time.Duration, error) {
	begin := time.Now()
	m, err := b.boot(ctx, bootLimit, g, b.Mem, more...)
	if err != nil {
		return nil, 0, err
	}
	if _, err := m.get(ctx, "/"); err != nil {
		m.Stop()
		return nil, 0, fmt.Errorf("first request: %w", err)
	}
	return m, time.Since(begin), nil
}

// idle looks at a machine that has nothing to do.
func (b *bench) idle(ctx context.Context, g *Guest, m *machine) error {
	pause(ctx, b.Each) // what a boot leaves to be done
	before, err := m.CPUTime()
	if err != nil {
		return err
	}
	begin := time.Now()
	pause(ctx, 3*b.Each)
	after, err := m.CPUTime()
	if err != nil {
		return err
	}
	b.record(g, "idle-cpu", 100*float64(after-before)/float64(time.Since(begin)))
	ram, whole, err := m.resident()
	b.record(g, "idle-ram", float64(ram))
	b.record(g, "idle-rss", float64(whole))
	return err
}

// pause waits for d, or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// warmUp is the part of Options.Each that goes before each load of requests: emulation translates code the first time.
const warmUp = 4

func (b *bench) http(ctx context.Context, g *Guest, m *machine) error {
	addr := m.addr("tcp", 80)
	for _, n := range []int{1, 16} {
		if _, err := keepAlive(ctx, addr, n, budget{time: b.Each / warmUp}); err != nil {
			return err
		}
		o, err := keepAlive(ctx, addr, n, budget{time: b.Each})
		if err != nil {
			return fmt.Errorf("HTTP over %d connections: %w", n, err)
		}
		b.recordLoad(g, fmt.Sprintf("http-%d", n), o)
	}
	o, err := fresh(ctx, addr, 2, budget{time: b.Each}) // more than 2 at once user networking drops, see drive
	if err != nil {
		return fmt.Errorf("fresh connections: %w", err)
	}
	b.record(g, "fresh", o.rate())
	return nil
}

// recordLoad keeps the rate of a load and its latencies.
func (b *bench) recordLoad(g *Guest, key string, o outcome) {
	b.record(g, key, o.rate())
	b.record(g, key+"-p50", o.quantile(0.50))
	b.record(g, key+"-p99", o.quantile(0.99))
}

func (b *bench) tcp(ctx context.Context, g *Guest, m *machine) error {
	for _, n := range []int{1, 8} {
		o, err := send(ctx, m.addr("tcp", 9), n, b.Each)
		if err != nil {
			return fmt.Errorf("sending over %d connections: %w", n, err)
		}
		b.record(g, fmt.Sprintf("in-%d", n), 8*o.rate())
		if o, err = receive(ctx, m.addr("tcp", 19), n, b.Each); err != nil {
			return fmt.Errorf("receiving over %d connections: %w", n, err)
		}
		b.record(g, fmt.Sprintf("out-%d", n), 8*o.rate())
	}
	return nil
}

func (b *bench) udp(ctx context.Context, g *Guest, m *machine) error {
	o, err := roundTrips(ctx, m.addr("udp", 7), budget{time: b.Each})
	if err != nil {
		return fmt.Errorf("UDP round trips: %w", err)
	}
	b.recordLoad(g, "udp", o)
	before, err := m.taken(ctx)
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := pour(ctx, m.addr("udp", 9), b.Each); err != nil {
		return fmt.Errorf("datagrams in: %w", err)
	}
	elapsed := time.Since(begin)
	pause(ctx, quiet)
	after, err := m.taken(ctx)
	if err != nil {
		return err
	}
	b.record(g, "packets-in", float64(after-before)/elapsed.Seconds())
	if o, err = soak(ctx, m.addr("udp", 19), b.Each); err != nil {
		return err
	}
	b.record(g, "packets-out", o.rate())
	return nil
}

// counted is how many operations instructions are counted over, and countedShort with Options.Short.
const counted, countedShort = 500, 50

// count boots a guest with its instructions counted, and takes the measures of those.
func (b *bench) count(ctx context.Context, g *Guest) error {
	ctx, cancel := context.WithTimeout(ctx, 4*bootLimit)
	defer cancel()
	if g.Packed != nil {
		err := b.counting(ctx, g.Packed, func(_ *machine, _ *qemu.QMP, booted int64) error {
			b.record(g, "i-boot-packed", float64(booted))
			return nil
		})
		if err != nil {
			return err
		}
	}
	return b.counting(ctx, g, func(m *machine, q *qemu.QMP, booted int64) error {
		b.record(g, "i-boot", float64(booted))
		if g.Packed == nil {
			b.record(g, "i-boot-packed", float64(booted))
		}
		return b.countLoads(ctx, g, m, q)
	})
}

// counting boots a guest with its instructions counted, and has do look at it. The instructions to its first answer are booted.
func (b *bench) counting(ctx context.Context, g *Guest, do func(m *machine, q *qemu.QMP, booted int64) error) error {
	socket := filepath.Join(b.dir, "qmp")
	os.Remove(socket)
	m, _, err := b.answering(ctx, g, append(qemu.CountInstructions(), qemu.QMPArgs(socket)...)...)
	if err != nil {
		return err
	}
	defer m.Stop()
	q, err := qemu.DialQMP(ctx, socket)
	if err != nil {
		return err
	}
	defer q.Close()
	n, err := q.Instructions()
	if err != nil {
		return err
	}
	return do(m, q, n)
}

// countLoads counts the instructions for each operation of a load.
func (b *bench) countLoads(ctx context.Context, g *Guest, m *machine, q *qemu.QMP) error {
	web, many := m.addr("tcp", 80), budget{time: patience, ops: counted}
	if b.Short {
		many.ops = countedShort
	}
	for _, load := range []struct {
		key string
		per float64 // operations of the outcome
		run func() (outcome, error)
	}{
		{"i-http", 1, func() (outcome, error) { return keepAlive(ctx, web, 1, many) }},
		{"i-fresh", 1, func() (outcome, error) { return fresh(ctx, web, 1, many) }},
		{"i-udp", 1, func() (outcome, error) { return roundTrips(ctx, m.addr("udp", 7), many) }},
		{"i-in", 1 << 10, func() (outcome, error) { return send(ctx, m.addr("tcp", 9), 1, b.Each) }},
		{"i-out", 1 << 10, func() (outcome, error) { return receive(ctx, m.addr("tcp", 19), 1, b.Each) }},
	} {
		if _, err := load.run(); err != nil { // what only the first ones cost
			return fmt.Errorf("%s: %w", load.key, err)
		}
		before, err := q.Instructions()
		if err != nil {
			return err
		}
		o, err := load.run()
		if err != nil {
			return fmt.Errorf("%s: %w", load.key, err)
		}
		after, err := q.Instructions()
		if err != nil {
			return err
		}
		b.record(g, load.key, float64(after-before)*load.per/float64(o.ops))
	}
	return nil
}

// connections is how many the smallest RAM must serve at the same time.
const connections = 100

// smallestRAM finds the least RAM, in whole MiB, with which a guest boots and serves.
func (b *bench) smallestRAM(ctx context.Context, g *Guest) (uint64, error) {
	low, high := g.MinRAM/mib, b.Mem/mib // fails, works
	for high-low > 1 {
		middle := (low + high) / 2
		ok := b.serves(ctx, g, middle*mib)
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		b.say("  %d MiB: %v", middle, ok)
		if ok {
			high = middle
		} else {
			low = middle
		}
	}
	return high * mib, nil
}

// serves reports whether a guest with so much RAM boots and answers over connections that are open all at once.
func (b *bench) serves(ctx context.Context, g *Guest, mem uint64) bool {
	m, err := b.boot(ctx, bootLimit/3, g, mem)
	if err != nil {
		return false
	}
	defer m.Stop()
	return together(ctx, m.addr("tcp", 80), connections) == nil
}
