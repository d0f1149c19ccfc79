package netdev

import (
	"fmt"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// BufferRange is the smallest, first and largest size of a socket's buffer in
// one direction, in bytes: Linux's tcp_rmem and tcp_wmem.
type BufferRange struct {
	Min, Default, Max int
}

// Memory bounds what sockets may hold. Linux scales tcp_rmem, tcp_wmem and
// rmem_max by the size of RAM in the same way (tcp_init in net/ipv4/tcp.c).
type Memory struct {
	TCPReceive, TCPSend BufferRange
	Datagram            BufferRange // UDP, ping and raw, each way

	// Pressure and Max bound what all sockets hold together, in bytes: the
	// second and third number of Linux's tcp_mem.
	Pressure, Max int
}

const (
	kib = 1 << 10
	mib = 1 << 20

	// program is what the program itself takes of the RAM: its heap, its stacks, the rings of its devices.
	program = 24 * mib

	// plenty is the RAM from which on buffers stop growing.
	plenty = 4096 * mib
)

// MemoryFor returns the bounds for a machine with ram bytes of memory; zero
// means plenty. One connection may at most fill a 128th of it each way, so
// that a 64 MiB machine serves some fifty bulk transfers at once, and a new
// connection starts with a fraction of that. All sockets together may hold a
// quarter of the memory before no more are made. All of that is of what the program leaves: with shares of the whole a
// hundred connections that were full both ways, over user networking, ran a 64 MiB machine out of memory with 40 MiB in use.
func MemoryFor(ram uint64) Memory {
	if ram == 0 || ram > plenty {
		ram = plenty
	}
	ram -= min(program, ram/2)
	most := clamp(ram/128, 128*kib, 6*mib)
	return Memory{
		TCPReceive: BufferRange{4 * kib, min(clamp(ram/512, 48*kib, mib), most), most},
		TCPSend:    BufferRange{4 * kib, min(clamp(ram/1024, 32*kib, mib), most), min(most, 4*mib)},
		Datagram:   BufferRange{4 * kib, clamp(ram/512, 64*kib, 208*kib), most},
		Pressure:   int(ram / 8),
		Max:        int(ram / 4),
	}
}

func clamp(v uint64, lo, hi int) int {
	return int(min(max(v, uint64(lo)), uint64(hi)))
}

func (m Memory) apply(s *stack.Stack) error {
	tcpOpts := []tcpip.SettableTransportProtocolOption{
		&tcpip.TCPReceiveBufferSizeRangeOption{Min: m.TCPReceive.Min, Default: m.TCPReceive.Default, Max: m.TCPReceive.Max},
		&tcpip.TCPSendBufferSizeRangeOption{Min: m.TCPSend.Min, Default: m.TCPSend.Default, Max: m.TCPSend.Max},
	}
	for _, opt := range tcpOpts {
		if err := s.SetTransportProtocolOption(tcp.ProtocolNumber, opt); err != nil {
			return fmt.Errorf("netdev: %T %+v: %s", opt, opt, err)
		}
	}
	for _, opt := range []any{
		tcpip.SendBufferSizeOption{Min: m.Datagram.Min, Default: m.Datagram.Default, Max: m.Datagram.Max},
		tcpip.ReceiveBufferSizeOption{Min: m.Datagram.Min, Default: m.Datagram.Default, Max: m.Datagram.Max},
	} {
		if err := s.SetOption(opt); err != nil {
			return fmt.Errorf("netdev: %T %+v: %s", opt, opt, err)
		}
	}
	return nil
}
