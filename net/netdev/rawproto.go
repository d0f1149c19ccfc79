package netdev

import (
	"slices"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/waiter"
)

// rawNumbers are the protocols over IP (IANA) that the stack does not speak
// and raw sockets can receive: gVisor delivers only those that it was told of
// when it was made. IPv6's extension headers are none.
var rawNumbers = []tcpip.TransportProtocolNumber{
	2, 4, 33, 41, 46, 47, 50, 51, 55, 88, 89, 94, 97, 98, 103, 108, 112, 115, 124, 132, 136, 137, 138, 253, 254,
}

// HasRawProtocol reports whether raw sockets can receive the protocol.
func (s *Stack) HasRawProtocol(number int) bool {
	n := tcpip.TransportProtocolNumber(number)
	return slices.Contains(rawNumbers, n) || s.ip.TransportProtocolInstance(n) != nil
}

// rawProtocols makes the stack deliver rawNumbers. Linux answers packets that
// no raw socket receives by "protocol unreachable"; they are dropped here, as
// the stack would answer the others too.
func rawProtocols() (list []stack.TransportProtocolFactory) {
	for _, n := range rawNumbers {
		list = append(list, func(*stack.Stack) stack.TransportProtocol { return rawProtocol{n} })
	}
	return list
}

// A rawProtocol is one without endpoints of its own.
type rawProtocol struct{ number tcpip.TransportProtocolNumber }

// Number implements stack.TransportProtocol, as do the others.
func (p rawProtocol) Number() tcpip.TransportProtocolNumber { return p.number }

// NewEndpoint refuses: there are only raw endpoints.
func (rawProtocol) NewEndpoint(tcpip.NetworkProtocolNumber, *waiter.Queue) (tcpip.Endpoint, tcpip.Error) {
	return nil, &tcpip.ErrNotSupported{}
}

// NewRawEndpoint refuses: package raw makes them itself.
func (rawProtocol) NewRawEndpoint(tcpip.NetworkProtocolNumber, *waiter.Queue) (tcpip.Endpoint, tcpip.Error) {
	return nil, &tcpip.ErrNotSupported{}
}

// MinimumPacketSize is of the header that Parse takes off.
func (rawProtocol) MinimumPacketSize() int { return 1 }

// ParsePorts finds none.
func (rawProtocol) ParsePorts([]byte) (src, dst uint16, err tcpip.Error) { return 0, 0, nil }

// HandleUnknownDestinationPacket drops what only raw sockets receive.
func (rawProtocol) HandleUnknownDestinationPacket(stack.TransportEndpointID, *stack.PacketBuffer) stack.UnknownDestinationPacketDisposition {
	return stack.UnknownDestinationPacketHandled
}

// SetOption has none.
func (rawProtocol) SetOption(tcpip.SettableTransportProtocolOption) tcpip.Error {
	return &tcpip.ErrUnknownProtocolOption{}
}

// Option has none.
func (rawProtocol) Option(tcpip.GettableTransportProtocolOption) tcpip.Error {
	return &tcpip.ErrUnknownProtocolOption{}
}

// Close, Wait, Pause, Resume and Restore have nothing to do.
func (rawProtocol) Close() {}

// Wait implements stack.TransportProtocol.
func (rawProtocol) Wait() {}

// Pause implements stack.TransportProtocol.
func (rawProtocol) Pause() {}

// Resume implements stack.TransportProtocol.
func (rawProtocol) Resume() {}

// Restore implements stack.TransportProtocol.
func (rawProtocol) Restore() {}

// Parse takes off the least that counts as a transport header.
func (rawProtocol) Parse(pkt *stack.PacketBuffer) bool {
	_, ok := pkt.TransportHeader().Consume(1)
	return ok
}
