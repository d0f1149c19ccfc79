package qemu

import (
	"fmt"
	"runtime"
	"sort"
	"strings"
)

// Board says, as data, how QEMU plays one of tamanet's machines.
type Board struct {
	// Name is what BOARD= and --board take, and the name of the package under board/.
	Name string
	// Program is the QEMU executable, Package the Debian package that holds it.
	Program, Package string
	// Arch is the GOARCH of the guest. KVM is thought of only where the host has the same one.
	Arch string
	// Machine holds the arguments that make the machine: -M and what belongs to it.
	Machine []string
	// Net holds the arguments of the network card on user networking. netOptions in them is replaced with the
	// options of the user netdev, each with a comma before it.
	Net []string
	// CPU is the default CPU model.
	CPU string
	// MaxCPUs is the largest CPU count that the machine takes.
	MaxCPUs int
	// Mem is the default RAM, MinMem and MaxMem bound it, in bytes.
	Mem, MinMem, MaxMem uint64
	// ExitCode turns QEMU's exit status into the guest's exit code; ok is false for a status that the guest did not choose.
	ExitCode func(status int) (code int, ok bool)
}

// netOptions stands in Board.Net for the options of the user netdev.
const netOptions = "{netopts}"

// userNetdev begins the argument of Board.Net that Config.Netdev replaces.
const userNetdev = "user,id=net0"

const (
	mib = 1 << 20
	gib = 1 << 30
)

// boards is the one table of machines. A further one is a further literal.
var boards = map[string]*Board{
	"microvm": {
		Name:    "microvm",
		Program: "qemu-system-x86_64",
		Package: "qemu-system-x86",
		Arch:    "amd64",
		Machine: []string{
			// Under KVM the PIT and the RTC would be left out by default; the kernel calibrates by one and reads
			// the wall clock from the other. auto-kernel-cmdline would append Linux's virtio_mmio.device= to ours.
			"-M", "microvm,pit=on,pic=on,rtc=on,auto-kernel-cmdline=off",
			// Without it QEMU offers the legacy (0.9.5) register layout, VIRTIO 1.2 §4.2.4.
			"-global", "virtio-mmio.force-legacy=false",
			"-device", "isa-debug-exit,iobase=0xf4,iosize=0x04",
		},
		Net:      []string{"-netdev", "user,id=net0" + netOptions, "-device", "virtio-net-device,netdev=net0"},
		CPU:      "max",
		MaxCPUs:  16,
		Mem:      128 * mib,
		MinMem:   16 * mib,
		MaxMem:   64 * gib,
		ExitCode: debugExitCode,
	},
	"q35": {
		Name:    "q35",
		Program: "qemu-system-x86_64",
		Package: "qemu-system-x86",
		Arch:    "amd64",
		// What nothing here uses would only cost the firmware time.
		Machine: []string{"-M", "q35,sata=off,smbus=off,hpet=off,vmport=off", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"},
		// romfile: no boot from the network.
		Net:      []string{"-netdev", "user,id=net0" + netOptions, "-device", "virtio-net-pci,netdev=net0,disable-legacy=on,romfile="},
		CPU:      "max",
		MaxCPUs:  16,
		Mem:      128 * mib,
		MinMem:   16 * mib,
		MaxMem:   64 * gib,
		ExitCode: debugExitCode,
	},
	"mx6ullevk": imx6ul("mx6ullevk", []string{connectedNIC, unusedNIC}),
	// Its network is the second MAC.
	"usbarmory": imx6ul("usbarmory", []string{unusedNIC, connectedNIC}),
}

// The two MACs of an i.MX6UL are always there. One without a peer makes QEMU print a warning.
const (
	connectedNIC = "user,id=net0,model=imx.enet" + netOptions
	unusedNIC    = "user,id=unused,restrict=on,model=imx.enet"
)

// imx6ul returns a board with an i.MX6UL, whose MACs are connected as nics says, ENET1 first.
func imx6ul(name string, nics []string) *Board {
	return &Board{
		Name:    name,
		Program: "qemu-system-arm",
		Package: "qemu-system-arm",
		Arch:    "arm",
		// The command line, the date and the exit code go by semihosting. What that does on files is left to a
		// debugger, which is not there: target=native would have the guest open, change and run files of the host.
		// Random numbers come in by the second serial port.
		Machine: []string{
			"-M", "mcimx6ul-evk", "-serial", "pipe:/dev/urandom", "-semihosting-config", "enable=on,target=gdb",
		},
		Net:      []string{"-nic", nics[0], "-nic", nics[1]},
		CPU:      "cortex-a7",
		MaxCPUs:  1,
		Mem:      512 * mib,
		MinMem:   64 * mib,
		MaxMem:   gib,
		ExitCode: debugExitCode,
	}
}

// debugExitCode undoes QEMU's hw/misc/debugexit.c, which ends the process with (value<<1)|1, as kernel/imx6ul does.
func debugExitCode(status int) (code int, ok bool) {
	return status >> 1, status&1 == 1
}

// BoardNames returns the names of the boards that QEMU can play, sorted.
func BoardNames() []string {
	names := make([]string, 0, len(boards))
	for name := range boards {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// LookupBoard returns the board of that name. The error of an unknown one lists those that there are.
func LookupBoard(name string) (*Board, error) {
	b := boards[name]
	if b == nil {
		return nil, badConfig("Board", name, strings.Join(BoardNames(), ", "))
	}
	return b, nil
}

// accel resolves what was asked for into QEMU's -accel argument.
func (b *Board) accel(want string) (string, error) {
	native := b.Arch == runtime.GOARCH
	switch want {
	case "", AccelAuto:
		if native && ProbeKVM() == nil {
			return AccelKVM, nil
		}
		return AccelTCG, nil
	case AccelTCG:
		return AccelTCG, nil
	case AccelKVM:
		if !native {
			return "", badConfig("Accel", want,
				fmt.Sprintf("tcg or auto: the host is %s and board %s is %s", runtime.GOARCH, b.Name, b.Arch))
		}
		if err := ProbeKVM(); err != nil {
			return "", badConfig("Accel", want, "tcg or auto: "+err.Error())
		}
		return AccelKVM, nil
	}
	return "", badConfig("Accel", want, "auto, kvm, tcg")
}
