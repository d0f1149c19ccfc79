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
func (n ndp) OnDuplicateAddressDetectionResult(tcpip.NICID, tcpip.Address, stack.DADResult) {
	n.net.changed()
}

// OnAutoGenAddress implements ipv6.NDPDispatcher.
func (n ndp) OnAutoGenAddress(tcpip.NICID, tcpip.AddressWithPrefix) stack.AddressDispatcher {
	n.net.changed()
	return nil
}

// OnAutoGenAddressDeprecated implements ipv6.NDPDispatcher.
func (n ndp) OnAutoGenAddressDeprecated(tcpip.NICID, tcpip.AddressWithPrefix) { n.net.changed() }

// OnAutoGenAddressInvalidated implements ipv6.NDPDispatcher.
func (n ndp) OnAutoGenAddressInvalidated(tcpip.NICID, tcpip.AddressWithPrefix) { n.net.changed() }

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
