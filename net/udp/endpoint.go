package udp

import (
	"io"
	"sync"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/ports"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport"
	gudp "gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/inet"
)

// An endpoint is a Sock's part of the network stack: it is registered with
// gVisor's demultiplexer, has the Sock's receive queue, and sends through
// gVisor's routes, or right into the queue of another endpoint of the same
// machine. Options are the Sock's; those that package inet passes to any
// endpoint are kept here as they come.
//
// Locks, in order: the Sock's, mu, gVisor's, the queue's. mu is not held while
// a datagram is sent: an answer may come in on the same goroutine.
type endpoint struct {
	tcpip.DefaultSocketOptionsHandler

	is     *inet.Sock
	u      *sock
	ip     *stack.Stack
	table  *table
	family tcpip.NetworkProtocolNumber // of the Sock
	ops    tcpip.SocketOptions
	q      queue

	// mu is held to change what follows, and to use at's route.
	mu    sync.RWMutex
	at    atomic.Pointer[binding]
	flags ports.Flags
	group groups

	ttl, hops, tos, tclass atomic.Int32
	groupTTL               atomic.Int32
	groupNIC6              atomic.Int32

	// inUse counts the bytes of packets that the stack has not let go of
	// (sk_wmem_alloc).
	inUse atomic.Int64

	// errCharge is what the queued errors count for of SO_RCVBUF.
	errCharge atomic.Int64

	// paths are the ways to other endpoints of this machine.
	paths [pathSlots]atomic.Pointer[path]
	turn  atomic.Uint32
}

var (
	_ tcpip.Endpoint             = (*endpoint)(nil)
	_ stack.TransportEndpoint    = (*endpoint)(nil)
	_ tcpip.SocketOptionsHandler = (*endpoint)(nil)
	_ inet.Rebinder              = (*endpoint)(nil)
	_ inet.ErrQueuer             = (*endpoint)(nil)
)

func newEndpoint(is *inet.Sock, network tcpip.NetworkProtocolNumber) *endpoint {
	e := &endpoint{is: is, u: of(&is.Sock), ip: is.Net.IP(), table: tableOf(is.Net), family: network}
	e.ops.InitHandler(e, e.ip, tcpip.GetStackSendBufferLimits, tcpip.GetStackReceiveBufferLimits)
	e.ops.SetMulticastLoop(true)
	e.ops.SetSendBufferSize(int64(is.Net.Memory().Datagram.Default), false)
	e.hops.Store(tcpip.UseDefaultIPv6HopLimit)
	e.groupTTL.Store(1)
	e.at.Store(unbound)
	return e
}

// rcvBuf is the limit of the receive queue in bytes (sk_rcvbuf).
func (e *endpoint) rcvBuf() int {
	if n := e.is.RcvBuf(); n != 0 {
		return n
	}
	return e.is.Net.Memory().Datagram.Default
}

// writable reports whether there is room for another packet.
func (e *endpoint) writable() bool { return e.inUse.Load() < e.ops.GetSendBufferSize() }

// Readiness implements tcpip.Endpoint.
func (e *endpoint) Readiness(mask waiter.EventMask) (ready waiter.EventMask) {
	if _, _, any := e.q.length(); any {
		ready |= waiter.ReadableEvents
	}
	if e.writable() {
		ready |= waiter.WritableEvents
	}
	if e.is.HasErr() {
		ready |= waiter.EventErr
	}
	return ready & mask
}

// State implements tcpip.Endpoint.
func (e *endpoint) State() uint32 { return uint32(e.at.Load().state) }

// Info implements tcpip.Endpoint.
func (e *endpoint) Info() tcpip.EndpointInfo {
	at := e.at.Load()
	return &stack.TransportEndpointInfo{
		NetProto: e.family, TransProto: gudp.ProtocolNumber,
		ID: at.id, BindNICID: at.scope, BindAddr: at.bound, RegisterNICID: at.nic,
	}
}

// GetLocalAddress implements tcpip.Endpoint.
func (e *endpoint) GetLocalAddress() (tcpip.FullAddress, tcpip.Error) {
	at := e.at.Load()
	return tcpip.FullAddress{NIC: at.nic, Addr: at.id.LocalAddress, Port: at.id.LocalPort}, nil
}

// GetRemoteAddress implements tcpip.Endpoint.
func (e *endpoint) GetRemoteAddress() (tcpip.FullAddress, tcpip.Error) {
	at := e.at.Load()
	if at.state != transport.DatagramEndpointStateConnected || at.id.RemotePort == 0 {
		return tcpip.FullAddress{}, &tcpip.ErrNotConnected{}
	}
	return tcpip.FullAddress{NIC: at.nic, Addr: at.id.RemoteAddress, Port: at.id.RemotePort}, nil
}

// SocketOptions implements tcpip.Endpoint.
func (e *endpoint) SocketOptions() *tcpip.SocketOptions { return &e.ops }

// OnReuseAddressSet implements tcpip.SocketOptionsHandler.
func (e *endpoint) OnReuseAddressSet(on bool) {
	e.mu.Lock()
	e.flags.MostRecent = on
	e.mu.Unlock()
}

// OnReusePortSet implements tcpip.SocketOptionsHandler.
func (e *endpoint) OnReusePortSet(on bool) {
	e.mu.Lock()
	e.flags.LoadBalanced = on
	e.mu.Unlock()
}

// HasNIC implements tcpip.SocketOptionsHandler.
func (e *endpoint) HasNIC(id int32) bool { return e.ip.HasNIC(tcpip.NICID(id)) }

// WakeupWriters implements tcpip.SocketOptionsHandler.
func (e *endpoint) WakeupWriters() {
	if e.writable() {
		e.is.WQ.Notify(waiter.WritableEvents)
	}
}

// LastError implements tcpip.Endpoint: it clears the pending error, which is
// the Sock's.
func (e *endpoint) LastError() tcpip.Error {
	e.is.TakeErr()
	return nil
}

// SetSockOptInt implements tcpip.Endpoint. Path MTU discovery is asked of the
// Sock.
func (e *endpoint) SetSockOptInt(opt tcpip.SockOptInt, v int) tcpip.Error {
	switch opt {
	case tcpip.IPv4TTLOption:
		e.ttl.Store(int32(v))
	case tcpip.IPv6HopLimitOption:
		e.hops.Store(int32(v))
	case tcpip.IPv4TOSOption:
		e.tos.Store(int32(v))
	case tcpip.IPv6TrafficClassOption:
		e.tclass.Store(int32(v))
	case tcpip.MulticastTTLOption:
		e.groupTTL.Store(int32(v))
	case tcpip.IPv6MulticastInterfaceOption:
		e.groupNIC6.Store(int32(v))
	}
	return nil
}

// GetSockOptInt implements tcpip.Endpoint.
func (e *endpoint) GetSockOptInt(opt tcpip.SockOptInt) (int, tcpip.Error) {
	if opt == tcpip.ReceiveQueueSizeOption {
		first, _, _ := e.q.length()
		return first, nil
	}
	return 0, &tcpip.ErrUnknownProtocolOption{}
}

// SetSockOpt implements tcpip.Endpoint.
func (e *endpoint) SetSockOpt(opt tcpip.SettableSocketOption) tcpip.Error {
	switch v := opt.(type) {
	case *tcpip.AddMembershipOption:
		return e.join(v.NIC, v.MulticastAddr)
	case *tcpip.RemoveMembershipOption:
		return e.leave(v.NIC, v.MulticastAddr)
	case *tcpip.MulticastInterfaceOption:
		e.mu.Lock()
		e.group.nic, e.group.addr = v.NIC, v.InterfaceAddr
		e.mu.Unlock()
	}
	return nil
}

// GetSockOpt implements tcpip.Endpoint; nothing asks it.
func (*endpoint) GetSockOpt(tcpip.GettableSocketOption) tcpip.Error {
	return &tcpip.ErrUnknownProtocolOption{}
}

// Read implements tcpip.Endpoint; see recv.
func (*endpoint) Read(io.Writer, tcpip.ReadOptions) (tcpip.ReadResult, tcpip.Error) {
	return tcpip.ReadResult{}, &tcpip.ErrNotSupported{}
}

// Write implements tcpip.Endpoint; see send.
func (*endpoint) Write(tcpip.Payloader, tcpip.WriteOptions) (int64, tcpip.Error) {
	return 0, &tcpip.ErrNotSupported{}
}

// Listen implements tcpip.Endpoint.
func (*endpoint) Listen(int) tcpip.Error { return &tcpip.ErrNotSupported{} }

// Accept implements tcpip.Endpoint.
func (*endpoint) Accept(*tcpip.FullAddress) (tcpip.Endpoint, *waiter.Queue, tcpip.Error) {
	return nil, nil, &tcpip.ErrNotSupported{}
}

// Shutdown implements tcpip.Endpoint: it is the Sock's bits that tell.
func (*endpoint) Shutdown(tcpip.ShutdownFlags) tcpip.Error { return nil }

// ModerateRecvBuf implements tcpip.Endpoint.
func (*endpoint) ModerateRecvBuf(int) {}

// SetOwner implements tcpip.Endpoint; packets have none.
func (*endpoint) SetOwner(tcpip.PacketOwner) {}

// Rebinds implements inet.Rebinder.
func (*endpoint) Rebinds() {}

// Wait implements stack.TransportEndpoint; there are no goroutines.
func (*endpoint) Wait() {}

// Stats implements tcpip.Endpoint.
func (e *endpoint) Stats() tcpip.EndpointStats { return endpointStats{} }

type endpointStats struct{}

// IsEndpointStats implements tcpip.EndpointStats.
func (endpointStats) IsEndpointStats() {}

// protoOf is what carries packets to an address.
func protoOf(a tcpip.Address) tcpip.NetworkProtocolNumber {
	if a.Len() == header.IPv4AddressSize {
		return header.IPv4ProtocolNumber
	}
	return header.IPv6ProtocolNumber
}

// fail leaves err as the pending error and tells who waits (sk_error_report).
func (e *endpoint) fail(err errno.Errno) {
	e.is.SetErr(err)
	e.is.WQ.Notify(waiter.EventErr)
}
