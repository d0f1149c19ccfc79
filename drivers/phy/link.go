package phy

import "fmt"

// advertise returns the abilities to offer, of those that BMSR shows.
func advertise(able uint16) uint16 {
	v := uint16(anSelector | anPause | anAsymPause)
	for _, a := range [...]struct{ bmsr, anar uint16 }{
		{bmsr100Full, an100Full},
		{bmsr100Half, an100Half},
		{bmsr10Full, an10Full},
		{bmsr10Half, an10Half},
	} {
		if able&a.bmsr != 0 {
			v |= a.anar
		}
	}
	return v
}

// force sets the best mode of a PHY that cannot negotiate.
func (p *PHY) force(able uint16) error {
	var v uint16
	if able&(bmsr100Full|bmsr100Half) != 0 {
		v |= bmcrSpeed100
	}
	if able&(bmsr100Full|bmsr10Full) != 0 {
		v |= bmcrFullDuplex
	}
	return p.write(BMCR, v)
}

// Poll returns the state of the link. A loss since the last Poll that is over
// again shows as down once. The errors wrap ErrAbsent or are the Bus's.
func (p *PHY) Poll() (Status, error) {
	bmsr, err := p.read(BMSR)
	if err != nil {
		return Status{}, err
	}
	if bmsr == absent {
		return Status{}, fmt.Errorf("%w: %v is gone", ErrAbsent, p)
	}
	if bmsr&bmsrLink == 0 {
		return Status{}, nil
	}
	bmcr, err := p.read(BMCR)
	if err != nil {
		return Status{}, err
	}
	if bmcr&bmcrANEnable == 0 {
		return forced(bmcr), nil
	}
	if bmsr&bmsrANComplete == 0 {
		return Status{}, nil
	}
	return p.negotiated()
}

// forced is the state of a link that is not negotiated.
func forced(bmcr uint16) Status {
	s := Status{Up: true, Mbps: 10, FullDuplex: bmcr&bmcrFullDuplex != 0}
	if bmcr&bmcrSpeed100 != 0 {
		s.Mbps = 100
	}
	return s
}

// negotiated resolves what both sides offer.
func (p *PHY) negotiated() (Status, error) {
	ours, err := p.read(ANAR)
	if err != nil {
		return Status{}, err
	}
	theirs, err := p.read(ANLPAR)
	if err != nil {
		return Status{}, err
	}
	return resolve(ours, theirs), nil
}

// resolve picks the best common mode, in the order of Annex 28B.3. A partner that
// does not negotiate shows just the half-duplex mode that was sensed (§28.2.3.1).
func resolve(ours, theirs uint16) Status {
	s := Status{Up: true}
	switch both := ours & theirs; {
	case both&an100Full != 0:
		s.Mbps, s.FullDuplex = 100, true
	case both&an100Half != 0:
		s.Mbps = 100
	case both&an10Full != 0:
		s.Mbps, s.FullDuplex = 10, true
	case both&an10Half != 0:
		s.Mbps = 10
	default:
		return Status{}
	}
	if s.FullDuplex {
		s.RxPause, s.TxPause = resolvePause(ours, theirs)
	}
	return s
}

// resolvePause is IEEE 802.3 Table 28B-3.
func resolvePause(ours, theirs uint16) (rx, tx bool) {
	both := ours & theirs
	switch {
	case both&anPause != 0:
		return true, true
	case both&anAsymPause == 0:
		return false, false
	default:
		return ours&anPause != 0, theirs&anPause != 0
	}
}
