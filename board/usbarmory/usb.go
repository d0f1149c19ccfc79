//go:build tamago && arm

package usbarmory

import (
	"errors"

	"github.com/usbarmory/tamago/dma"
	"github.com/usbarmory/tamago/soc/nxp/usb"

	"github.com/tamanet/tamanet/drivers/cdcecm"
	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/kernel/imx6ul"
)

// The gadget's interfaces and endpoints.
const (
	controlInterface = 0
	dataInterface    = 1

	endpointIn     = 0x81
	endpointOut    = 0x01
	endpointNotify = 0x82

	// notifyInterval is 2^(9-1) microframes: 32 ms (USB 2.0 Table 9-13).
	notifyInterval = 9
)

// openUSB makes a network device of the USB plug. The controller's driver polls: while it is used the
// processor does not halt.
func openUSB() (nic.Device, error) {
	d, err := cdcecm.New(cdcecm.Config{Name: "USB"})
	if err != nil {
		return nil, err
	}
	dev, err := gadget(d)
	if err != nil {
		return nil, err
	}
	// Where the controller's driver has its descriptors and transfers.
	if err := dma.Init(imx6ul.OCRAM, imx6ul.OCRAMSize); err != nil {
		return nil, err
	}
	port := &usb.USB{Index: 1, Base: imx6ul.USB1, CCGR: imx6ul.CCGR6, Analog: imx6ul.USB1Analog, PHY: imx6ul.USB1PHY, EnablePLL: enableClock}
	port.Init()
	port.DeviceMode()
	go port.Start(dev)
	return d, nil
}

func enableClock(int) error {
	if !imx6ul.EnableUSBClock() {
		return errors.New("USB: the PLL for its clock does not lock")
	}
	return nil
}

// gadget describes a CDC-ECM device to the host (CDC 1.2 §5, ECM 1.2 §5.4).
func gadget(d *cdcecm.Device) (*usb.Device, error) {
	dev := &usb.Device{Descriptor: &usb.DeviceDescriptor{}, Qualifier: &usb.DeviceQualifierDescriptor{}}
	dev.Descriptor.SetDefaults()
	dev.Descriptor.DeviceClass = usb.COMMUNICATION_DEVICE_CLASS
	dev.Qualifier.SetDefaults()
	dev.Qualifier.DeviceClass = usb.COMMUNICATION_DEVICE_CLASS
	if err := dev.SetLanguageCodes([]uint16{0x0409}); err != nil { // English
		return nil, err
	}
	var mac uint8
	for _, s := range []struct {
		index *uint8
		text  string
	}{
		{&dev.Descriptor.Manufacturer, "tamanet"},
		{&dev.Descriptor.Product, "tamanet appliance"},
		{&dev.Descriptor.SerialNumber, "1"},
		{&mac, d.HostMAC()},
	} {
		var err error
		if *s.index, err = dev.AddString(s.text); err != nil {
			return nil, err
		}
	}
	conf := &usb.ConfigurationDescriptor{}
	conf.SetDefaults()
	conf.AddInterface(control(d, mac))
	// Nothing flows in setting 0 of the data interface.
	conf.AddInterface(data(0))
	conf.AddInterface(data(1,
		endpoint(endpointIn, usb.BULK, 512, 0, d.In),
		endpoint(endpointOut, usb.BULK, 512, 0, d.Out)))
	dev.Setup = func(s *usb.SetupData) ([]byte, bool, bool, error) {
		// The driver has swapped the bytes of Value.
		d.Setup(cdcecm.Request{Type: s.RequestType, Request: s.Request, Value: s.Value>>8 | s.Value<<8, Index: s.Index, Length: s.Length}, dataInterface)
		return nil, false, false, nil
	}
	return dev, dev.AddConfiguration(conf)
}

// control returns the control interface, with the descriptors that make it Ethernet.
func control(d *cdcecm.Device, mac uint8) *usb.InterfaceDescriptor {
	i := &usb.InterfaceDescriptor{}
	i.SetDefaults()
	i.InterfaceClass, i.InterfaceSubClass = usb.COMMUNICATION_INTERFACE_CLASS, usb.ETH_SUBCLASS
	header, union, ethernet := &usb.CDCHeaderDescriptor{}, &usb.CDCUnionDescriptor{}, &usb.CDCEthernetDescriptor{}
	header.SetDefaults()
	union.SetDefaults()
	union.MasterInterface, union.SlaveInterface0 = controlInterface, dataInterface
	ethernet.SetDefaults()
	ethernet.MacAddress, ethernet.MaxSegmentSize = mac, cdcecm.MaxSegmentSize
	i.ClassDescriptors = [][]byte{header.Bytes(), union.Bytes(), ethernet.Bytes()}
	i.Endpoints = []*usb.EndpointDescriptor{endpoint(endpointNotify, usb.INTERRUPT, 16, notifyInterval, d.Notify(controlInterface))}
	return i
}

// data returns a setting of the data interface.
func data(setting uint8, endpoints ...*usb.EndpointDescriptor) *usb.InterfaceDescriptor {
	i := &usb.InterfaceDescriptor{}
	i.SetDefaults()
	i.AlternateSetting, i.NumEndpoints = setting, uint8(len(endpoints))
	i.InterfaceClass = usb.DATA_INTERFACE_CLASS
	i.Endpoints = endpoints
	return i
}

func endpoint(addr uint8, kind uint8, packet uint16, interval uint8, f usb.EndpointFunction) *usb.EndpointDescriptor {
	e := &usb.EndpointDescriptor{}
	e.SetDefaults()
	e.EndpointAddress, e.Attributes, e.MaxPacketSize, e.Interval = addr, kind, packet, interval
	e.Function = f
	return e
}
