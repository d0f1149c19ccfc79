//go:build tamago && amd64

package q35

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/tamanet/tamanet/board/internal/pc"
	"github.com/tamanet/tamanet/drivers/dma"
	"github.com/tamanet/tamanet/drivers/mmio"
	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/drivers/pci"
	"github.com/tamanet/tamanet/drivers/virtio"
	"github.com/tamanet/tamanet/drivers/virtionet"
	"github.com/tamanet/tamanet/kernel/amd64"
	"github.com/tamanet/tamanet/kernel/boot"
	"github.com/tamanet/tamanet/kernel/irq"
)

// Where the interrupt controller is, QEMU include/hw/i386/ioapic.h.
const (
	ioapicBase  = 0xfec0_0000
	ioapicFirst = 0
)

// init finds out what is in the machine and registers it.
func init() { pc.Register("q35", probe) }

// probe returns the devices, in the order of their addresses.
func probe(boot.Config) (devices pc.Devices) {
	amd64.AddIOAPIC(ioapicBase, ioapicFirst)

	for _, f := range bus().Scan() {
		switch virtio.PCIDeviceID(f) {
		case virtio.DeviceEntropy:
			t, err := virtio.NewPCI(f)
			if err != nil {
				pc.Warn("%v", err)
				continue
			}
			devices.Entropy = append(devices.Entropy, t)
		case virtio.DeviceNet:
			devices.Net = append(devices.Net, func(disable virtio.Features) (nic.Device, error) {
				return open(f, disable)
			})
		}
	}
	return devices
}

// bus returns PCI, whose configuration space is then mapped.
func bus() *pci.Bus {
	at := uint16(memoryController)
	v := uint64(amd64.PCIConfig(at, regPCIEXBAR+4))<<32 | uint64(amd64.PCIConfig(at, regPCIEXBAR))
	e, ok := parsePCIEXBAR(v)
	if !ok {
		e = ecam{defaultECAM, 256}
		amd64.SetPCIConfig(at, regPCIEXBAR, 0) // off while it is half changed
		amd64.SetPCIConfig(at, regPCIEXBAR+4, 0)
		amd64.SetPCIConfig(at, regPCIEXBAR, defaultECAM|pciexEnable)
	}
	return &pci.Bus{
		Config: pci.ECAM(mmio.At, uintptr(e.base), e.buses),
		Memory: mmio.At,
		Window: window,
	}
}

// open makes a network device of a function.
func open(f *pci.Function, disable virtio.Features) (nic.Device, error) {
	t, err := virtio.NewPCI(f)
	if err != nil {
		return nil, err
	}
	name := "virtio-net " + f.Address.String()
	config := virtionet.Config{
		Transport: t,
		Memory:    dma.Heap{},
		Name:      name,
		RxQueue:   pc.RxQueue(),
		Disable:   disable,
	}
	release, err := interrupts(t, name, &config)
	if err != nil {
		f.Disable()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	config.Release = release
	d, err := virtionet.New(config)
	if err != nil {
		f.Disable()
		release()
		return nil, err
	}
	return d, nil
}

// interrupts gives a device its lines: by MSI-X one for the configuration and one for
// each pair of queues, of as many as there are lines left for, or else that of its pin for everything. release
// takes the lines back.
func interrupts(t *virtio.PCI, name string, c *virtionet.Config) (release func(), err error) {
	table, err := t.MSIX()
	if err != nil {
		return pin(t, name, c)
	}
	// A pair of queues for each processor is of use, if the device has so many.
	n := min(table.Size(), 1+runtime.NumCPU())
	if n < 2 {
		return pin(t, name, c)
	}
	lines, err := amd64.AllocateMSI(n)
	if err != nil {
		return pin(t, name, c)
	}
	if len(lines) < n {
		pc.Warn("%s: interrupt lines are left for %d pairs of queues, not for %d", name, len(lines)-1, n-1)
	}
	var messages []pci.Message
	for i, l := range lines {
		addr, data := amd64.MSI(l, amd64.NextAPIC())
		messages = append(messages, pci.Message{Addr: addr, Data: data})
		if i == 0 {
			l.SetName(name + " configuration")
			c.Interrupt = l
			continue
		}
		l.SetName(fmt.Sprintf("%s queues %d", name, i-1))
		c.QueueInterrupts = append(c.QueueInterrupts, l)
	}
	t.UseMSIX(table, messages)
	return func() {
		for _, l := range lines {
			l.SetName("")
		}
		amd64.FreeMSI(lines)
	}, nil
}

// pins are the lines that are in use.
var pins = map[irq.Line]string{}

// pin gives a device the line of its interrupt pin.
func pin(t *virtio.PCI, name string, c *virtionet.Config) (release func(), err error) {
	l, ok := pinLine(t.Function())
	if !ok {
		return nil, errors.New("neither MSI-X nor an interrupt pin whose line is known")
	}
	if other := pins[l]; other != "" {
		return nil, fmt.Errorf("its interrupt line %d is shared with %s: give it MSI-X or another slot", l, other)
	}
	if err := amd64.EnableLine(l); err != nil {
		return nil, err
	}
	pins[l] = name
	l.SetName(name)
	c.Interrupt = l
	return func() {
		delete(pins, l)
		l.SetName("")
	}, nil
}
