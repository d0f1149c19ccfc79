package mx6ullevk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/tamanet/tamanet/qemu"
	"github.com/tamanet/tamanet/qemu/e2e"
)

// speedKernel serves what speed is measured with.
const speedKernel = "../../../board/mx6ullevk/testdata/speed"

// Its ports.
const (
	tcpSink   = 5001
	tcpSource = 5002
	udpSink   = 5003
	udpSource = 5004
	control   = 6060
)

// bootSpeed boots the kernel and waits until it serves.
func bootSpeed(tb testing.TB, cfg qemu.Config) *qemu.VM {
	tb.Helper()
	cfg.Board, cfg.Kernel = "mx6ullevk", e2e.Kernel(tb, "mx6ullevk", speedKernel)
	for _, p := range []uint16{tcpSink, tcpSource, control} {
		cfg.Ports = append(cfg.Ports, qemu.Forward{Proto: "tcp", Guest: p})
	}
	for _, p := range []uint16{udpSink, udpSource} {
		cfg.Ports = append(cfg.Ports, qemu.Forward{Proto: "udp", Guest: p})
	}
	vm := e2e.Boot(tb, cfg)
	if err := vm.WaitHTTP(e2e.Context(tb, e2e.Patience), "http://"+vm.Addr("tcp", control)+"/stats"); err != nil {
		tb.Fatal(err)
	}
	return vm
}

// get asks the kernel for something.
func get(tb testing.TB, vm *qemu.VM, path string) string {
	tb.Helper()
	req, err := http.NewRequestWithContext(e2e.Context(tb, e2e.Patience), http.MethodGet, "http://"+vm.Addr("tcp", control)+path, nil)
	if err != nil {
		tb.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

// number returns the value of a counter in what the kernel says.
func number(tb testing.TB, text, name string) uint64 {
	tb.Helper()
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.ParseUint(strings.TrimSpace(v), 10, 64)
			if err != nil {
				tb.Fatal(err)
			}
			return n
		}
	}
	tb.Fatalf("there is no counter %q", name)
	return 0
}

func dial(tb testing.TB, vm *qemu.VM, proto string, port uint16) net.Conn {
	tb.Helper()
	c, err := net.Dial(proto, vm.Addr(proto, port))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	return c
}

// flood sends n datagrams of size bytes in bursts, each once the one before has come or does not come any more.
func flood(tb testing.TB, vm *qemu.VM, n, burst, size int) {
	c, p := dial(tb, vm, "udp", udpSink), make([]byte, size)
	for sent := 0; sent < n; sent += burst {
		before := number(tb, get(tb, vm, "/stats"), "datagrams")
		for range burst {
			c.Write(p) // ECONNREFUSED and the like are losses, which are measured
		}
		for last := before; last < before+uint64(burst); {
			now := number(tb, get(tb, vm, "/stats"), "datagrams")
			if now == last {
				break
			}
			last = now
		}
	}
}

// TestNoFrameIsLost compares the frames that QEMU has given to the MAC with those that the driver has handed up, under bursts of
// more than the ring holds. Datagrams that the host drops before are in neither.
func TestNoFrameIsLost(t *testing.T) {
	capture := filepath.Join(t.TempDir(), "capture")
	vm := bootSpeed(t, qemu.Config{More: []string{"-object", "filter-dump,id=capture,netdev=net0,file=" + capture}})
	const bursts, burst = 40, 600
	flood(t, vm, bursts*burst, burst, 100)
	get(t, vm, "/stop")
	http.DefaultClient.CloseIdleConnections()
	if code, err := vm.Wait(e2e.Context(t, e2e.Patience)); code != 0 || err != nil {
		t.Fatal(code, err)
	}
	_, console, _ := strings.Cut(vm.Console(), "datagrams ")
	console = "datagrams " + console
	frames := count(t, capture)
	got, datagrams := number(t, console, "rx_packets"), number(t, console, "datagrams")
	t.Logf("%d frames were given to the MAC, %d received; of %d datagrams sent %d came to their socket", frames, got, bursts*burst, datagrams)
	if got != frames || frames < bursts*burst/10 {
		t.Errorf("the driver has received %d frames of %d", got, frames)
	}
	for _, name := range []string{"rx_no_buffer", "rx_over_errors", "rx_length_errors", "rx_crc_errors", "ring_errors"} {
		if n := number(t, console, name); n != 0 {
			t.Errorf("%s is %d", name, n)
		}
	}
}

// count returns how many frames of a capture were sent to the guest (the format of libpcap's files).
func count(t *testing.T, capture string) (n uint64) {
	t.Helper()
	b, err := os.ReadFile(capture)
	if err != nil {
		t.Fatal(err)
	}
	const header, recordHeader = 24, 16
	guest := []byte{0x52, 0x54, 0x00, 0x12, 0x34, 0x56} // QEMU's first
	for b = b[min(header, len(b)):]; len(b) >= recordHeader; {
		size := int(binary.LittleEndian.Uint32(b[8:]))
		frame := b[recordHeader:]
		if size > len(frame) || size < 14 {
			t.Fatalf("a frame of %d bytes in a capture with %d left", size, len(frame))
		}
		if !bytes.Equal(frame[6:12], guest) {
			n++
		}
		b = frame[size:]
	}
	return n
}

// measurement is one figure: amount of something in a time, of which QEMU took the processor for some.
type measurement struct {
	amount       float64
	wall, busy   time.Duration
	lost, wanted uint64
}

// BenchmarkENET measures drivers/enet and the tamago module's driver, under the same stack and in one run, and prints the
// ratios. What counts is the amount for each second of processor time that QEMU took: the rest is the host's load.
func BenchmarkENET(b *testing.B) {
	if b.N > 1 {
		b.Skip("one run measures everything")
	}
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\t\tdrivers/enet\tupstream's\tratio")
	own, upstream := measure(b, "enet"), measure(b, "upstream")
	for i, m := range measurements {
		per := func(r []measurement) float64 { return r[i].amount / r[i].busy.Seconds() }
		fmt.Fprintf(w, "%s\t%s per CPU second\t%.1f\t%.1f\t%.2f\n", m.name, m.unit, per(own), per(upstream), per(own)/per(upstream))
		rate := func(r []measurement) float64 { return r[i].amount / r[i].wall.Seconds() }
		fmt.Fprintf(w, "\t%s per second\t%.1f\t%.1f\t%.2f\n", m.unit, rate(own), rate(upstream), rate(own)/rate(upstream))
		if own[i].wanted != 0 {
			lost := func(r []measurement) float64 { return 100 * float64(r[i].lost) / float64(r[i].wanted) }
			fmt.Fprintf(w, "\t%% lost on the way\t%.1f\t%.1f\n", lost(own), lost(upstream))
		}
	}
	w.Flush()
	fmt.Printf("\n%s\n", table.String()) // b.Log would cut it short
}

// measurements are in the order of running.
var measurements = []struct {
	name, unit string
	run        func(testing.TB, *qemu.VM) measurement
}{
	{"TCP in", "Mbit", tcpIn},
	{"TCP out", "Mbit", tcpOut},
	{"UDP in, 64 bytes", "k frames", udpIn},
	{"UDP out, 64 bytes", "k frames", udpOut},
}

// measure boots a kernel with a driver and measures everything.
func measure(b *testing.B, driver string) []measurement {
	vm := bootSpeed(b, qemu.Config{Cmdline: "driver=" + driver})
	defer vm.Stop()
	var all []measurement
	for _, m := range measurements {
		busy, start := e2e.CPUTime(b, vm), time.Now()
		r := m.run(b, vm)
		if r.wall == 0 {
			r.wall = time.Since(start)
		}
		r.busy = e2e.CPUTime(b, vm) - busy
		all = append(all, r)
	}
	return all
}

const bulk = 48 << 20

func tcpIn(tb testing.TB, vm *qemu.VM) measurement {
	c := dial(tb, vm, "tcp", tcpSink)
	if _, err := io.CopyN(c, zeros{}, bulk); err != nil {
		tb.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		tb.Fatal(err)
	}
	// The kernel closes once it has everything.
	if _, err := io.Copy(io.Discard, c); err != nil {
		tb.Fatal(err)
	}
	return measurement{amount: bulk * 8 / 1e6}
}

func tcpOut(tb testing.TB, vm *qemu.VM) measurement {
	c := dial(tb, vm, "tcp", tcpSource)
	defer c.Close()
	if _, err := io.CopyN(io.Discard, c, bulk); err != nil {
		tb.Fatal(err)
	}
	return measurement{amount: bulk * 8 / 1e6}
}

func udpIn(tb testing.TB, vm *qemu.VM) measurement {
	const n, burst = 60_000, 2000
	before := number(tb, get(tb, vm, "/stats"), "datagrams")
	flood(tb, vm, n, burst, 64)
	got := number(tb, get(tb, vm, "/stats"), "datagrams") - before
	return measurement{amount: float64(got) / 1e3, lost: n - got, wanted: n}
}

func udpOut(tb testing.TB, vm *qemu.VM) measurement {
	const n, burst = 60_000, 2000
	c, got := dial(tb, vm, "udp", udpSource), uint64(0)
	c.(*net.UDPConn).SetReadBuffer(4 << 20)
	ask := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, burst), 64)
	buf := make([]byte, 2048)
	for range n / burst {
		if _, err := c.Write(ask); err != nil {
			tb.Fatal(err)
		}
		for range burst {
			c.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
			if _, err := c.Read(buf); errors.Is(err, os.ErrDeadlineExceeded) {
				break
			} else if err != nil {
				tb.Fatal(err)
			}
			got++
		}
	}
	return measurement{amount: float64(got) / 1e3, lost: n - got, wanted: n}
}

// zeros is a Reader of zeros.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }
