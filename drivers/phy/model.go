package phy

// model is what the standard leaves open. Its functions may be nil.
type model struct {
	name     string
	id, mask uint32
	// setup is called after a reset, before the PHY negotiates.
	setup func(*PHY) error
	// enable switches the interrupt pin on for changes of the link, ack takes it back.
	enable, ack func(*PHY) error
}

// revision masks the revision out of an identifier (§22.2.4.3.1).
const revision = 0xfffffff0

// models is the one table of PHYs that need more than the standard.
var models = []model{
	{name: "KSZ8081", id: 0x00221560, mask: revision, setup: kszSetup, enable: kszEnable, ack: kszAck},
	{name: "DP83825I", id: 0x2000a150, mask: revision, setup: dpSetup, enable: dpEnable, ack: dpAck},
	// Early boards' parts still identify as the DP83825S.
	{name: "DP83825S", id: 0x2000a140, mask: revision, setup: dpSetup, enable: dpEnable, ack: dpAck},
}

var generic = model{name: "PHY"}

func lookup(id uint32) *model {
	for i := range models {
		if m := &models[i]; id&m.mask == m.id&m.mask {
			return m
		}
	}
	return &generic
}

// HasInterrupt says whether EnableInterrupt can be used.
func (p *PHY) HasInterrupt() bool { return p.model.enable != nil }

// EnableInterrupt has the PHY raise its interrupt pin when the link goes up or down. It
// is called after Start; without HasInterrupt it does nothing.
func (p *PHY) EnableInterrupt() error {
	if p.model.enable == nil {
		return nil
	}
	return p.model.enable(p)
}

// AckInterrupt makes the PHY take its interrupt pin back.
func (p *PHY) AckInterrupt() error {
	if p.model.ack == nil {
		return nil
	}
	return p.model.ack(p)
}

// KSZ8081RNB (Microchip DS00002199, §4).
const (
	kszOMSO  Reg = 0x16 // operation mode strap override
	kszIntr  Reg = 0x1b // interrupt control (upper half) and status (lower)
	kszCtrl2 Reg = 0x1f // PHY control 2

	kszBroadcastOff = 1 << 9
	kszIntrLinkDown = 1 << 10
	kszIntrLinkUp   = 1 << 8
	kszRMII50       = 1 << 7
)

// kszSetup tells the reference clock, and has the PHY answer only at its own
// address: address 0 would be a broadcast, to which the other PHYs on the bus listen too.
func kszSetup(p *PHY) error {
	if err := p.change(kszOMSO, 0, kszBroadcastOff); err != nil {
		return err
	}
	return p.change(kszCtrl2, kszRMII50, bit(p.clock, kszRMII50))
}

func kszEnable(p *PHY) error { return p.write(kszIntr, kszIntrLinkUp|kszIntrLinkDown) }

// kszAck reads the status, which clears it.
func kszAck(p *PHY) error {
	_, err := p.read(kszIntr)
	return err
}

// DP83825I (TI SNLS638, §8.6).
const (
	dpPHYSCR Reg = 0x11 // PHY specific control
	dpMISR1  Reg = 0x12 // MII interrupt status 1
	dpRCSR   Reg = 0x17 // RMII and status

	dpIntEnable  = 1 << 1
	dpIntOutput  = 1 << 0 // the pin is an output
	dpLinkIntEn  = 1 << 5
	dpRMII50     = 1 << 7
	dpElasticity = 0x3
	dpElastic2   = 1 // bits of tolerance: for frames of up to 2400 bytes at 50 ppm
)

func dpSetup(p *PHY) error {
	return p.change(dpRCSR, dpRMII50|dpElasticity, bit(p.clock, dpRMII50)|dpElastic2)
}

func dpEnable(p *PHY) error {
	if err := p.change(dpPHYSCR, 0, dpIntEnable|dpIntOutput); err != nil {
		return err
	}
	return p.write(dpMISR1, dpLinkIntEn)
}

// dpAck reads the status, which clears it.
func dpAck(p *PHY) error {
	_, err := p.read(dpMISR1)
	return err
}

// bit returns v when on, else 0.
func bit(on bool, v uint16) uint16 {
	if on {
		return v
	}
	return 0
}
