package nic

// Promiscuous is implemented by a Device that can receive frames for other
// stations, or be kept from it.
type Promiscuous interface {
	// SetPromiscuous switches that on or off; it is off after Start unless the
	// hardware knows no filter.
	SetPromiscuous(on bool) error
}

// Multicast is implemented by a Device that can leave out frames for groups in
// which nobody is interested. Without a call all of them are received.
type Multicast interface {
	// SetMulticast has frames for groups received, and others dropped as far
	// as the hardware can tell; nil has all received. Broadcasts always are.
	SetMulticast(groups []MAC) error
}

// MACSetter is implemented by a Device that can receive frames for another address than
// that of its Info.
type MACSetter interface {
	// SetMAC has frames for m received in place of those for the address before; Info does not
	// change. The error wraps errors.ErrUnsupported when this hardware has no means for it.
	SetMAC(m MAC) error
}

// VLANFilter is implemented by a Device that may drop frames with an IEEE 802.1Q tag. Until it is
// called, those of no VLAN but 0 need be received, unless the Device is promiscuous.
type VLANFilter interface {
	// SetVLANs has frames with these identifiers received, 1 to 4094, and others dropped as far
	// as the hardware can tell. Those with the identifier 0, which only says a priority, always are.
	SetVLANs(ids []uint16) error
}

// Announcer is implemented by a Handler that can tell its neighbours where it is, by gratuitous ARP
// and unsolicited neighbour advertisements.
type Announcer interface {
	// Announce is called like the methods of Handler, after the Device has been moved to
	// another place of its network.
	Announce()
}
