package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/tamanet/tamanet/board"
	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/kernel/irq"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/socket"
)

// module is tamanet's own module path.
const module = "github.com/tamanet/tamanet"

var started = time.Now()

// collect asks the runtime, the board and the network what there is to report.
// On an ordinary OS the last two have nothing.
func collect() Report {
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	r := Report{
		Time:          time.Now().UTC(),
		UptimeSeconds: time.Since(started).Seconds(),
		Software:      software(),
		Memory: Memory{
			UsedBytes:  mem.Sys - mem.HeapReleased,
			HeapBytes:  mem.HeapAlloc,
			StackBytes: mem.StackInuse,
		},
		Runtime: Runtime{
			Goroutines:     runtime.NumGoroutine(),
			GCs:            uint64(mem.NumGC),
			GCPauseSeconds: time.Duration(mem.PauseTotalNs).Seconds(),
		},
		Machine: Machine{
			Board:  "process",
			CPUs:   runtime.NumCPU(),
			System: runtime.GOOS + "/" + runtime.GOARCH,
		},
		Interrupts: interrupts(irq.Lines()),
		Routes:     routes(netdev.Routes()),
		Sockets:    sockets(socket.Sockets()),
	}
	r.Hostname, _ = os.Hostname()
	var devices []nic.Device
	if m := board.Current(); m != nil {
		r.Machine.Board, r.Machine.CPU, r.Machine.Cmdline = m.Name, m.CPU, m.Cmdline
		r.Memory.RAMBytes, r.Memory.UsableBytes = m.RAM, m.Usable
		if name := m.Config().Hostname; name != "" {
			r.Hostname = name
		}
		devices = m.NICs
	}
	r.Interfaces = interfaces(netdev.Interfaces(), devices)
	return r
}

// software reads what the linker wrote down about the build.
func software() Software {
	s := Software{Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return s
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == module {
			s.Tamanet = m.Version
		}
	}
	for _, setting := range info.Settings {
		switch {
		case setting.Key == "vcs.revision":
			s.Revision = fmt.Sprintf("%.12s", setting.Value) + s.Revision
		case setting.Key == "vcs.modified" && setting.Value == "true":
			s.Revision += "+"
		}
	}
	return s
}

func interrupts(lines []irq.Stat) []Interrupt {
	list := make([]Interrupt, 0, len(lines))
	for _, l := range lines {
		list = append(list, Interrupt{Line: int(l.Line), Name: l.Name, Count: l.Count, PerCPU: append([]uint64{}, l.PerCPU...)})
	}
	return list
}

// interfaces joins the network's view of its interfaces with that of the
// devices that carry them; the hardware address tells which.
func interfaces(ifaces []netdev.Interface, devices []nic.Device) []Interface {
	list := make([]Interface, 0, len(ifaces))
	for _, i := range ifaces {
		out := Interface{
			Index:     i.Index,
			Name:      i.Name,
			MAC:       i.HardwareAddr.String(),
			MTU:       i.MTU,
			Up:        i.Flags&netdev.IFF_UP != 0,
			Addresses: make([]string, 0, len(i.Addresses)),
			Counters: Counters{
				RxPackets: i.Counters.RxPackets,
				RxBytes:   i.Counters.RxBytes,
				RxErrors:  i.Counters.RxErrors,
				RxUnknown: i.Counters.RxUnknown,
				TxPackets: i.Counters.TxPackets,
				TxBytes:   i.Counters.TxBytes,
				TxDropped: i.Counters.TxDropped,
			},
		}
		for _, a := range i.Addresses {
			out.Addresses = append(out.Addresses, a.String())
		}
		for _, d := range devices {
			if d.Info().MAC.String() == out.MAC {
				out.Device = device(d)
				out.Up = out.Up && d.Link().Up
			}
		}
		list = append(list, out)
	}
	return list
}

func device(d nic.Device) *Device {
	link := d.Link()
	out := &Device{
		Name:       d.Info().Name,
		Mbps:       link.Mbps,
		FullDuplex: link.FullDuplex,
		Counters:   make(map[string]uint64),
		Queues:     make([]map[string]uint64, 0),
	}
	if s, ok := d.(nic.Statistics); ok {
		out.Counters = counters(s.Stats())
	}
	if s, ok := d.(nic.QueueStatistics); ok {
		for _, stats := range s.QueueStats() {
			out.Queues = append(out.Queues, counters(stats))
		}
	}
	return out
}

func counters(stats nic.Stats) map[string]uint64 {
	m := make(map[string]uint64)
	stats.Each(func(name string, value uint64) { m[name] = value })
	return m
}

func routes(table []netdev.Route) []Route {
	list := make([]Route, 0, len(table))
	for _, r := range table {
		out := Route{Destination: r.Dst.String(), Interface: r.Interface}
		if r.Gateway.IsValid() {
			out.Gateway = r.Gateway.String()
		}
		list = append(list, out)
	}
	return list
}

func sockets(open []socket.Info) []Socket {
	list := make([]Socket, 0, len(open))
	for _, s := range open {
		list = append(list, Socket{
			Protocol: strings.ToLower(s.Protocol),
			State:    s.State.String(),
			RecvQ:    uint64(max(s.RecvQ, 0)),
			SendQ:    uint64(max(s.SendQ, 0)),
			Local:    endpoint(s.Local),
			Peer:     endpoint(s.Peer),
		})
	}
	return list
}

// endpoint writes an address as ss does, and one that is not set as nothing.
func endpoint(a socket.Sockaddr) string {
	if a.Family == socket.AF_UNSPEC {
		return ""
	}
	return a.String()
}
