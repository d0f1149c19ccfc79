package netdev

import (
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// ndp hears of the changes that neighbour discovery makes by itself: an address is there for use once no other station
// was found to have it (RFC 4862 §5.4).
type ndp struct{ net *Stack }

var _ ipv6.NDPDispatcher = ndp{}

// OnDuplicateAddressDetectionResult implements ipv6.NDPDispatcher.
func (n ndp) OnDuplicateAddressDetectionResult(id tcpip.NICID, addr tcpip.Address, r stack.DADResult) {
	if _, dup := r.(*stack.DADDupAddrDetected); dup {
		n.net.assigned(id, addr, false) // gVisor has taken it away
	}
	n.net.changed()
}

// OnAutoGenAddress implements ipv6.NDPDispatcher.
func (n ndp) OnAutoGenAddress(id tcpip.NICID, addr tcpip.AddressWithPrefix) stack.AddressDispatcher {
	n.net.assigned(id, addr.Address, true)
	n.net.changed()
	return nil
}

// OnAutoGenAddressDeprecated implements ipv6.NDPDispatcher.
func (n ndp) OnAutoGenAddressDeprecated(tcpip.NICID, tcpip.AddressWithPrefix) { n.net.changed() }

// OnAutoGenAddressInvalidated implements ipv6.NDPDispatcher.
func (n ndp) OnAutoGenAddressInvalidated(id tcpip.NICID, addr tcpip.AddressWithPrefix) {
	n.net.assigned(id, addr.Address, false)
	n.net.changed()
}

// What router advertisements say is not heeded.

// OnOffLinkRouteUpdated implements ipv6.NDPDispatcher.
func (ndp) OnOffLinkRouteUpdated(tcpip.NICID, tcpip.Subnet, tcpip.Address, header.NDPRoutePreference) {
}

// OnOffLinkRouteInvalidated implements ipv6.NDPDispatcher.
func (ndp) OnOffLinkRouteInvalidated(tcpip.NICID, tcpip.Subnet, tcpip.Address) {}

// OnOnLinkPrefixDiscovered implements ipv6.NDPDispatcher.
func (ndp) OnOnLinkPrefixDiscovered(tcpip.NICID, tcpip.Subnet) {}

// OnOnLinkPrefixInvalidated implements ipv6.NDPDispatcher.
func (ndp) OnOnLinkPrefixInvalidated(tcpip.NICID, tcpip.Subnet) {}

// OnRecursiveDNSServerOption implements ipv6.NDPDispatcher.
func (ndp) OnRecursiveDNSServerOption(tcpip.NICID, []tcpip.Address, time.Duration) {}

// OnDNSSearchListOption implements ipv6.NDPDispatcher.
func (ndp) OnDNSSearchListOption(tcpip.NICID, []string, time.Duration) {}

// OnDHCPv6Configuration implements ipv6.NDPDispatcher.
func (ndp) OnDHCPv6Configuration(tcpip.NICID, ipv6.DHCPv6ConfigurationFromNDPRA) {}
