package boot

import (
	"fmt"
	"strconv"
	"strings"
)

// Slot is a virtio-mmio transport that the command line names, in Linux's form
// virtio_mmio.device=<size>@<base>:<irq>[:<id>] (Linux
// drivers/virtio/virtio_mmio.c). QEMU's microvm without ACPI and Firecracker add such
// words for the devices that they have.
type Slot struct {
	Base uint64 // physical address of the registers
	Size uint64 // bytes
	IRQ  uint8  // global system interrupt
}

// minSlot is where a transport's configuration space begins (VIRTIO 1.2 §4.2.2).
const minSlot = 0x100

func (c *Config) addSlot(value string) error {
	size, rest, ok1 := strings.Cut(value, "@")
	base, rest, ok2 := strings.Cut(rest, ":")
	irq, _, _ := strings.Cut(rest, ":")

	s, err1 := parseSize(size)
	b, err2 := strconv.ParseUint(base, 0, 64)
	i, err3 := strconv.ParseUint(irq, 0, 8)
	if !ok1 || !ok2 || err1 != nil || err2 != nil || err3 != nil {
		return fmt.Errorf("want <size>@<base>:<irq>, as virtio_mmio.device=512@0xfeb00000:24")
	}
	if s < minSlot || b == 0 || b+s < b || b%4 != 0 {
		return fmt.Errorf("want at least %d bytes at an aligned address", minSlot)
	}

	c.Slots = append(c.Slots, Slot{Base: b, Size: s, IRQ: uint8(i)})
	return nil
}

// parseSize reads a number with Linux's suffixes K, M and G (Linux memparse).
func parseSize(s string) (uint64, error) {
	shift := 0
	if s != "" {
		switch s[len(s)-1] {
		case 'K', 'k':
			shift = 10
		case 'M', 'm':
			shift = 20
		case 'G', 'g':
			shift = 30
		}
	}
	if shift != 0 {
		s = s[:len(s)-1]
	}
	n, err := strconv.ParseUint(s, 0, 64)
	if err == nil && n<<shift>>shift != n {
		err = strconv.ErrRange
	}
	return n << shift, err
}
