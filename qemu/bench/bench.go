// Package bench measures tamanet beside what a user would otherwise run: a minimal Linux guest (Debian's cloud kernel
// and an initramfs that holds nothing but a static Go server). Both guests run the same Go source, qemu/benchapp, in
// the same QEMU machine with the same flags and netdev, and are loaded by the same generators.
//
// Machines differ from boot to boot and hosts from minute to minute. So the guests take turns over several rounds,
// each round boots them afresh, and what is told is the median of the rounds' ratios, with the least and the greatest.
// Instructions (package qemu, CountInstructions) hang on neither.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/tamanet/tamanet/qemu"
	"github.com/tamanet/tamanet/qemu/impair"
)

// Options says what to measure. Root, Go and Out are required.
type Options struct {
	Root   string        // tamanet's sources
	Go     string        // path of a go command that knows GOOS=tamago
	Out    string        // folder for bench.json and bench.svg
	Board  string        // machine of both guests, microvm or q35
	Net    string        // NetUser, NetTap or NetWire
	Accel  string        // as in qemu.Config
	Mem    uint64        // RAM of the loaded guests, in bytes
	Rounds int           // how often each guest is booted and measured
	Each   time.Duration // how long each load is applied
	Short  bool          // leave the search for the smallest RAM out
	Only   string        // "tamanet" or "Linux" measures that guest alone; no ratios then

	Cmdline string        // words of tamanet's kernel command line
	Impair  impair.Config // what NetWire does to frames, in each direction

	Progress io.Writer // told what is done, a line each
}

// The values of Options.Net.
const (
	NetUser = "user" // user networking: no privilege, no offloads
	NetTap  = "tap"  // a tap interface, with offloads; the process must be in a network namespace of its own (Namespaced)
	NetWire = "wire" // a tap interface, without offloads, behind an impaired wire; in a network namespace too
)

// Run builds both guests, measures them and writes the files. The error says what could not be had or done; a guest
// that dies is one, ErrNoKernel another.
func Run(ctx context.Context, o Options) (*Report, error) {
	b := &bench{Options: o, samples: make(map[string]map[string][]float64)}
	var err error
	if b.guests, err = Prepare(ctx, o); err != nil {
		return nil, err
	}
	if o.Only != "" {
		b.guests = only(b.guests, o.Only)
	}
	if b.dir, err = os.MkdirTemp("", "tamanet-bench-"); err != nil {
		return nil, err
	}
	defer os.RemoveAll(b.dir)
	if o.Net == NetTap {
		if err := makeTap(); err != nil {
			return nil, err
		}
	}
	if err := b.measure(ctx); err != nil {
		return nil, err
	}
	r := b.report(ctx)
	return r, errors.Join(r.writeJSON(filepath.Join(o.Out, "bench.json")), r.writePlot(filepath.Join(o.Out, "bench.svg")))
}

// bench is one Run.
type bench struct {
	Options
	guests  []*Guest
	dir     string                          // for sockets, removed at the end
	samples map[string]map[string][]float64 // by measure and guest
}

func only(guests []*Guest, name string) []*Guest {
	for _, g := range guests {
		if g.Name == name {
			return []*Guest{g}
		}
	}
	return guests
}

// record keeps a sample of a measure.
func (b *bench) record(g *Guest, key string, value float64) {
	if b.samples[key] == nil {
		b.samples[key] = make(map[string][]float64)
	}
	b.samples[key][g.Name] = append(b.samples[key][g.Name], value)
}

func (b *bench) say(format string, args ...any) { fmt.Fprintf(b.Progress, format+"\n", args...) }

// measure runs the rounds, in which the guests take turns, and what needs to be measured but once.
func (b *bench) measure(ctx context.Context) error {
	for round := range b.Rounds {
		for i := range b.guests {
			g := b.guests[(round+i)%len(b.guests)]
			b.say("round %d of %d: %s", round+1, b.Rounds, g.Name)
			if err := b.round(ctx, g); err != nil {
				return fmt.Errorf("%s: %w", g.Name, err)
			}
		}
	}
	if b.Net == NetWire {
		return nil // the others do not hang on the network
	}
	for _, g := range b.guests {
		b.record(g, "image", float64(g.Image))
		b.record(g, "packed", float64(g.packed().Image))
		if b.Accel != qemu.AccelKVM {
			b.say("counting the instructions of %s", g.Name)
			if err := b.count(ctx, g); err != nil {
				return fmt.Errorf("%s: %w", g.Name, err)
			}
		}
		if b.Short {
			continue
		}
		b.say("searching the smallest RAM of %s", g.Name)
		ram, err := b.smallestRAM(ctx, g)
		if err != nil {
			return fmt.Errorf("%s: %w", g.Name, err)
		}
		b.record(g, "ram", float64(ram))
	}
	return nil
}
