//go:build tamago && arm

package main

import (
	"errors"
	"net/netip"
	"sync"

	"github.com/usbarmory/tamago/dma"
	"github.com/usbarmory/tamago/soc/nxp/enet"
	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/tamanet/tamanet/board"
	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/kernel/imx6ul"
	"github.com/tamanet/tamanet/kernel/irq"
	"github.com/tamanet/tamanet/net/link"
	"github.com/tamanet/tamanet/net/netdev"
)

// ccgr0 and its field for the ENETs (IMX6ULLRM §18.6.23).
const (
	ccgr0     = 0x020c_4068
	ccgr0ENET = 12
)

// replaceDriver has ENET1 driven by the tamago module's driver, under the same stack.
func replaceDriver() error {
	st, m := netdev.Default(), board.Current()
	own := m.NICs[0].Info()
	if err := st.IP().RemoveNIC(tcpip.NICID(st.InterfaceIndex("eth0"))); err != nil { // which closes the device
		return errors.New(err.String())
	}
	if err := dma.Init(imx6ul.OCRAM, imx6ul.OCRAMSize); err != nil {
		return err
	}
	d := &upstream{irq: imx6ul.Interrupt{Line: irq.Line(imx6ul.LineENET1)}, info: nic.Info{Name: "upstream's ENET1", MAC: own.MAC, MTU: enet.MTU, MaxParts: 64}}
	d.eth = enet.ENET{Index: 1, Base: imx6ul.ENET1, CCGR: ccgr0, CG: ccgr0ENET, Clock: func() uint32 { return imx6ul.IPG }, RMII: true, MAC: own.MAC[:]}
	if err := d.eth.Init(); err != nil {
		return err
	}
	e, err := link.New(d, link.Options{})
	if err != nil {
		return err
	}
	c := m.Config()
	if _, err := st.AddInterface(netdev.InterfaceConfig{Name: "up0", Link: e, Addresses: []netip.Prefix{c.Addr}}); err != nil {
		return err
	}
	return st.AddRoute(netdev.Route{Dst: netip.PrefixFrom(netip.IPv4Unspecified(), 0), Gateway: c.Gateway, Interface: "up0"})
}

// upstream is the driver of the tamago module as a nic.Device: a copy each way, one frame for each call.
type upstream struct {
	eth  enet.ENET
	irq  imx6ul.Interrupt
	info nic.Info

	mu    sync.Mutex // for frame and the transmit ring
	frame [enet.MTU + nic.HeaderLen]byte
}

func (d *upstream) Info() nic.Info      { return d.info }
func (d *upstream) Link() nic.LinkState { return nic.LinkState{Up: true, Mbps: 100, FullDuplex: true} }
func (d *upstream) Close() error        { return nil }

func (d *upstream) Start(h nic.Handler) error {
	d.eth.Start()
	d.eth.EnableInterrupt(enet.IRQ_RXF)
	go d.receive(h)
	return nil
}

// receive hands frames up, until there are none, after each interrupt.
func (d *upstream) receive(h nic.Handler) {
	buf := make([]byte, 2048)
	f := nic.RxFrame{Parts: make([]nic.RxPart, 1)}
	for d.irq.Wait() {
		d.eth.ClearInterrupt(enet.IRQ_RXF)
		for {
			n, err := d.eth.Receive(buf)
			if n == 0 || err != nil {
				break
			}
			b := h.Buffer(n)
			copy(b.Bytes(), buf[:n])
			f.Parts[0] = nic.RxPart{Buffer: b, Len: n}
			h.Receive(&f)
		}
	}
}

func (d *upstream) Transmit(f *nic.TxFrame) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, p := range f.Parts {
		n += copy(d.frame[n:], p)
	}
	if err := d.eth.Transmit(d.frame[:n]); err != nil {
		return err
	}
	f.Owner.DecRef()
	return nil
}
