package netdev

import "sync/atomic"

// Sysctl holds the settings that Linux keeps a network namespace under
// /proc/sys/net. Reading and setting are safe at any time; a setting holds
// from the next call on.
type Sysctl struct {
	// SoMaxConn caps a listener's backlog (net.core.somaxconn).
	SoMaxConn atomic.Int32
	// UnprivilegedPortStart is the first port that binds without
	// CAP_NET_BIND_SERVICE (net.ipv4.ip_unprivileged_port_start).
	UnprivilegedPortStart atomic.Int32
	// NonlocalBind lets bind take addresses that are not the machine's
	// (net.ipv4.ip_nonlocal_bind).
	NonlocalBind atomic.Bool
	// BindV6Only is what IPV6_V6ONLY starts with (net.ipv6.bindv6only).
	BindV6Only atomic.Bool
	// RmemMax and WmemMax cap SO_RCVBUF and SO_SNDBUF before they are doubled,
	// in bytes (net.core.rmem_max, net.core.wmem_max).
	RmemMax, WmemMax atomic.Int32
	// MemPressure and MemMax bound what all sockets hold together, in bytes:
	// the second and third number of net.ipv4.tcp_mem, for every protocol.
	// Above MemMax no more sockets are made; see package socket's Memory.
	MemPressure, MemMax atomic.Int64
}

func (c *Sysctl) init(m Memory) {
	c.SoMaxConn.Store(4096)
	c.UnprivilegedPortStart.Store(1024)
	c.MemPressure.Store(int64(m.Pressure))
	c.MemMax.Store(int64(m.Max))
	// Sizes are doubled after they were capped.
	c.RmemMax.Store(int32(min(4*mib, m.Datagram.Max/2)))
	c.WmemMax.Store(int32(min(4*mib, m.Datagram.Max/2)))
}
