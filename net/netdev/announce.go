package netdev

import (
	"errors"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/tamanet/tamanet/net/errno"
)

// Announce tells the neighbours on an interface which hardware address its addresses have: by gratuitous ARP for IPv4,
// and by an unsolicited neighbour advertisement for IPv6 (Linux netdev_notify_peers; RFC 5227 §3, RFC 4861 §7.2.6). It
// is for a machine that was moved within its network. ENODEV, or what kept a packet from being sent.
func (s *Stack) Announce(index int) error {
	info, ok := s.ip.SingleNICInfo(tcpip.NICID(index))
	if !ok || index <= 0 {
		return errno.ENODEV
	}
	if len(info.LinkAddress) != header.EthernetAddressSize {
		return nil
	}
	var errs []error
	for _, a := range info.ProtocolAddresses {
		var terr tcpip.Error
		addr := a.AddressWithPrefix.Address
		switch a.Protocol {
		case header.IPv4ProtocolNumber:
			terr = s.ip.WritePacketToRemote(tcpip.NICID(index), header.EthernetBroadcastAddress, header.ARPProtocolNumber,
				gratuitousARP(info.LinkAddress, addr))
		case header.IPv6ProtocolNumber:
			terr = s.ip.WritePacketToRemote(tcpip.NICID(index), header.EthernetAddressFromMulticastIPv6Address(header.IPv6AllNodesMulticastAddress),
				header.IPv6ProtocolNumber, unsolicitedAdvert(info.LinkAddress, addr))
		}
		if terr != nil {
			errs = append(errs, deviceError(terr))
		}
	}
	return errors.Join(errs...)
}

// gratuitousARP is a request for the sender's own address, as Linux sends it.
func gratuitousARP(mac tcpip.LinkAddress, addr tcpip.Address) buffer.Buffer {
	b := make(header.ARP, header.ARPSize)
	b.SetIPv4OverEthernet()
	b.SetOp(header.ARPRequest)
	copy(b.HardwareAddressSender(), mac)
	copy(b.ProtocolAddressSender(), addr.AsSlice())
	copy(b.ProtocolAddressTarget(), addr.AsSlice())
	return buffer.MakeWithData(b)
}

// unsolicitedAdvert is a neighbour advertisement to all nodes, which overrides what they know.
func unsolicitedAdvert(mac tcpip.LinkAddress, addr tcpip.Address) buffer.Buffer {
	const optionLen = 8 // type, length and an Ethernet address (RFC 4861 §4.6.1)
	size := header.ICMPv6NeighborAdvertMinimumSize + optionLen
	b := make([]byte, header.IPv6MinimumSize+size)
	header.IPv6(b).Encode(&header.IPv6Fields{
		PayloadLength: uint16(size), TransportProtocol: header.ICMPv6ProtocolNumber, HopLimit: header.NDPHopLimit,
		SrcAddr: addr, DstAddr: header.IPv6AllNodesMulticastAddress,
	})
	icmp := header.ICMPv6(b[header.IPv6MinimumSize:])
	icmp.SetType(header.ICMPv6NeighborAdvert)
	na := header.NDPNeighborAdvert(icmp.MessageBody())
	na.SetOverrideFlag(true)
	na.SetTargetAddress(addr)
	na.Options().Serialize(header.NDPOptionsSerializer{header.NDPTargetLinkLayerAddressOption(mac)})
	icmp.SetChecksum(header.ICMPv6Checksum(header.ICMPv6ChecksumParams{
		Header: icmp, Src: addr, Dst: header.IPv6AllNodesMulticastAddress, PayloadCsum: checksum.Checksum(nil, 0),
	}))
	return buffer.MakeWithData(b)
}
