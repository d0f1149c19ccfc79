package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/tamanet/tamanet/qemu/impair"
)

// SweepSettings are what Sweep boots tamanet with when nothing else is asked for: as it is, and with one thing changed at a
// time. They are words of the kernel command line.
var SweepSettings = []string{
	"",
	"sysctl.net.ipv4.tcp_congestion_control=reno",
	"sysctl.net.ipv4.tcp_recovery=0",
	"sysctl.net.ipv4.tcp_recovery=0 sysctl.net.ipv4.tcp_rto_min_us=200000",
	"sysctl.net.ipv4.tcp_rto_min_us=200000",
	"sysctl.net.ipv4.tcp_sack=0",
	"sysctl.net.ipv4.tcp_moderate_rcvbuf=0",
	`sysctl.net.ipv4.tcp_rmem="4096 65536 131072" sysctl.net.ipv4.tcp_wmem="4096 32768 131072"`,
	`sysctl.net.ipv4.tcp_rmem="4096 1048576 6291456" sysctl.net.ipv4.tcp_wmem="4096 1048576 4194304"`,
}

// SweepWires are what Sweep tries each setting on, as impair.Parse reads them.
var SweepWires = []string{
	"",
	"loss=0.1%", "loss=1%", "loss=3%",
	"delay=10ms", "delay=50ms",
	"loss=1%,delay=10ms", "loss=1%,delay=50ms",
	"reorder=5%,delay=10ms",
	"loss=0.05%,burst=50", "loss=0.05%,burst=50,delay=10ms",
}

const (
	// sweepSize is how much is transferred, in bytes.
	sweepSize = 4 * mib
	// sweepLimit is when a transfer is given up.
	sweepLimit = 60 * time.Second
)

// A SweepReport holds how long transfers took, in seconds, by setting and wire. What took longer than sweepLimit is +Inf.
type SweepReport struct {
	Settings, Wires []string
	// In and Out have the samples of each setting, of each wire.
	In, Out [][][]float64
}

// Sweep boots the guest of Linux and then tamanet's once with each of the settings, words of the kernel command line, and times the
// transfer of 4 MiB each way over each of the wires, o.Rounds times with other seeds. It must be run in a
// network namespace. The report has Linux's samples first.
func Sweep(ctx context.Context, o Options, settings, wires []string) (*SweepReport, error) {
	o.Net = NetWire
	b := &bench{Options: o}
	var impairments []impair.Config
	for _, w := range wires {
		c, err := impair.Parse(w)
		if err != nil {
			return nil, err
		}
		impairments = append(impairments, c)
	}
	guests, err := Prepare(ctx, o)
	if err != nil {
		return nil, err
	}
	if b.dir, err = os.MkdirTemp("", "tamanet-sweep-"); err != nil {
		return nil, err
	}
	defer os.RemoveAll(b.dir)
	r := &SweepReport{Wires: wires}
	for i, words := range append([]string{""}, settings...) {
		g, name := *guests[0], orAsItIs(shortWords(words))
		if i == 0 {
			g, name = *guests[1], "Linux"
		}
		if o.Only != "" && o.Only != g.Name {
			continue
		}
		g.Config.Cmdline = strings.TrimSpace(g.Config.Cmdline + " " + words)
		b.say("%s", name)
		in, out, err := b.sweepGuest(ctx, &g, impairments)
		if err != nil {
			return nil, fmt.Errorf("%s, %s: %w", g.Name, name, err)
		}
		r.Settings, r.In, r.Out = append(r.Settings, name), append(r.In, in), append(r.Out, out)
	}
	return r, nil
}

// shortWords leaves out of settings what all have in common.
func shortWords(words string) string {
	return strings.NewReplacer("sysctl.", "", "net.ipv4.", "").Replace(words)
}

func orPerfect(wire string) string {
	if wire == "" {
		return "perfect"
	}
	return wire
}

func orAsItIs(s string) string {
	if s == "" {
		return "as it is"
	}
	return s
}

// sweepGuest boots a guest and times its transfers.
func (b *bench) sweepGuest(ctx context.Context, g *Guest, wires []impair.Config) (in, out [][]float64, err error) {
	m, err := b.boot(ctx, bootLimit, g, b.Mem)
	if err != nil {
		return nil, nil, err
	}
	defer m.Stop()
	in, out = make([][]float64, len(wires)), make([][]float64, len(wires))
	for range 2 { // what only the first ones cost
		if err := errors.Join(sendAll(ctx, m, sweepSize), receiveAll(ctx, m, sweepSize)); err != nil {
			return nil, nil, err
		}
	}
	for i, c := range wires {
		for round := range b.Rounds {
			for _, way := range []struct {
				samples [][]float64
				do      func(context.Context, *machine, int64) error
			}{{in, sendAll}, {out, receiveAll}} {
				c.Seed = uint64(2*round + 1)
				if err := m.wire.set(c); err != nil {
					return nil, nil, err
				}
				took, err := timed(ctx, m, way.do)
				if err != nil {
					return nil, nil, fmt.Errorf("%v: %w; the console:\n%s", c, err, m.Console())
				}
				way.samples[i] = append(way.samples[i], took)
			}
		}
		b.say("  %v: in %.2g, out %.2g s", orPerfect(wires[i].String()), in[i], out[i])
	}
	return in, out, nil
}

// timed returns how long a transfer takes in seconds, or +Inf.
func timed(ctx context.Context, m *machine, do func(context.Context, *machine, int64) error) (float64, error) {
	begin := time.Now()
	err := do(ctx, m, sweepSize)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded): // the latter of a dial
		return math.Inf(1), context.Cause(ctx)
	case err != nil:
		return 0, err
	}
	return time.Since(begin).Seconds(), nil
}

// sendAll sends n bytes to the guest and waits until it has them.
func sendAll(ctx context.Context, m *machine, n int64) error {
	return transferAll(ctx, m.addr("tcp", 9), func(conn net.Conn) error {
		if _, err := io.CopyN(conn, zeroes{}, n); err != nil {
			return err
		}
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			return err
		}
		text, err := io.ReadAll(conn)
		if err == nil && strings.TrimSpace(string(text)) != fmt.Sprint(n) {
			err = fmt.Errorf("of %d bytes the guest has %q", n, text)
		}
		return err
	})
}

// receiveAll takes n bytes that the guest sends.
func receiveAll(ctx context.Context, m *machine, n int64) error {
	return transferAll(ctx, m.addr("tcp", 19), func(conn net.Conn) error {
		_, err := io.CopyN(io.Discard, conn, n)
		return err
	})
}

func transferAll(ctx context.Context, addr string, do func(net.Conn) error) error {
	d := net.Dialer{Timeout: sweepLimit}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.(*net.TCPConn).SetLinger(0) // what is on its way is not to disturb the next
	conn.SetDeadline(time.Now().Add(sweepLimit))
	return do(conn)
}

// zeroes is an endless reader.
type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// Print writes the medians of both directions as tables, a line for each setting.
func (r *SweepReport) Print(w io.Writer) error {
	for _, way := range []struct {
		name    string
		samples [][][]float64
	}{{"in, to the guest", r.In}, {"out, from the guest", r.Out}} {
		fmt.Fprintf(w, "seconds for %d MiB %s; medians of %d seeds, the greatest in brackets\n\n", sweepSize/mib, way.name, len(way.samples[0][0]))
		tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, wire := range r.Wires {
			fmt.Fprintf(tw, "\t%s", orPerfect(wire))
		}
		fmt.Fprintln(tw)
		for i, setting := range r.Settings {
			fmt.Fprint(tw, setting)
			for _, samples := range way.samples[i] {
				s := summarize(samples)
				fmt.Fprintf(tw, "\t%s [%s]", seconds(s.Median), seconds(s.Max))
			}
			fmt.Fprintln(tw)
		}
		if err := tw.Flush(); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	return nil
}

func seconds(v float64) string {
	if math.IsInf(v, 1) {
		return fmt.Sprintf(">%.0f", sweepLimit.Seconds())
	}
	return fmt.Sprintf("%.2g", v)
}
