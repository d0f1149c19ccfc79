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
	"gro=off",
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

// Sweep boots the guest of Linux and then tamanet's once with each of the settings, words of the kernel command line, and times the
// transfer of 4 MiB each way over each of the wires, o.Rounds times with other seeds. It must be run in a
// network namespace. The table of medians goes to w, each guest's lines as soon as they are there.
func Sweep(ctx context.Context, o Options, settings, wires []string, w io.Writer) error {
	o.Net = NetWire
	b := &bench{Options: o}
	var impairments []impair.Config
	for _, w := range wires {
		c, err := impair.Parse(w)
		if err != nil {
			return err
		}
		impairments = append(impairments, c)
	}
	guests, err := Prepare(ctx, o)
	if err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "tamanet-sweep-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	table := newSweepTable(settings, wires)
	if err := table.head(w, o.Rounds); err != nil {
		return err
	}
	for i, words := range append([]string{""}, settings...) {
		g, name := *guests[0], settingName(words)
		if i == 0 {
			g, name = *guests[1], linuxName
		}
		if o.Only != "" && o.Only != g.Name {
			continue
		}
		g.Config.Cmdline = strings.TrimSpace(g.Config.Cmdline + " " + words)
		b.say("%s", name)
		in, out, err := b.sweepGuest(ctx, &g, impairments)
		if err != nil {
			return fmt.Errorf("%s, %s: %w", g.Name, name, err)
		}
		if err := table.rows(w, name, in, out); err != nil {
			return err
		}
	}
	return nil
}

// linuxName is what the Linux guest is called where tamanet's settings stand.
const linuxName = "Linux"

// settingName is a setting without what all have in common.
func settingName(words string) string {
	if words == "" {
		return "as it is"
	}
	return strings.NewReplacer("sysctl.", "", "net.ipv4.", "").Replace(words)
}

func orPerfect(wire string) string {
	if wire == "" {
		return "perfect"
	}
	return wire
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

// A sweepTable has a line for each direction of each guest, whose columns are as wide as any sample needs.
type sweepTable struct {
	wires []string
	name  int // width of the first column
}

// sampleWidth is that of the longest cell but for a wire's name.
const sampleWidth = len("0.0012 [0.0034]")

func newSweepTable(settings, wires []string) *sweepTable {
	t := &sweepTable{name: len(linuxName)}
	for _, s := range settings {
		t.name = max(t.name, len(settingName(s)))
	}
	for _, w := range wires {
		t.wires = append(t.wires, orPerfect(w))
	}
	return t
}

// head writes the lines above the samples.
func (t *sweepTable) head(w io.Writer, seeds int) error {
	_, err := fmt.Fprintf(w, "seconds for %d MiB to the guest and from it; medians of %d seeds, the greatest in brackets\n\n%s", sweepSize/mib, seeds,
		t.line("", "", t.wires))
	return err
}

// rows writes a guest's lines: the samples of each wire, each way.
func (t *sweepTable) rows(w io.Writer, name string, in, out [][]float64) error {
	_, err := io.WriteString(w, t.line(name, "in", cells(in))+t.line("", "out", cells(out)))
	return err
}

func (t *sweepTable) line(name, way string, cells []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-*s  %-3s", t.name, name, way)
	for i, c := range cells {
		fmt.Fprintf(&b, "  %-*s", max(sampleWidth, len(t.wires[i])), c)
	}
	return strings.TrimRight(b.String(), " ") + "\n"
}

// cells are the summaries of samples.
func cells(samples [][]float64) (cells []string) {
	for _, s := range samples {
		sum := summarize(s)
		cells = append(cells, fmt.Sprintf("%s [%s]", seconds(sum.Median), seconds(sum.Max)))
	}
	return cells
}

func seconds(v float64) string {
	if math.IsInf(v, 1) {
		return fmt.Sprintf(">%.0f", sweepLimit.Seconds())
	}
	return fmt.Sprintf("%.2g", v)
}
