// Package qemu launches tamanet kernels in QEMU.
//
// A Config says what to boot; Config.Args turns it into QEMU's command line and Start into a running VM, whose console
// is captured line by line and whose end is the guest's exit code. Networking is QEMU's user networking (slirp), which
// needs no privilege: the guest is 10.0.2.15, the host's loopback is 10.0.2.2, and ports of the guest are reached by
// the Forwards of the Config. A VM leaves no process behind, however its owner ends.
//
// Everything here is safe for use by several goroutines once a VM is started.
package qemu

import (
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// Config describes one boot. The zero value of each field but Kernel picks the board's default.
type Config struct {
	Board   string    // name of a Board; "" is microvm
	Kernel  string    // path of the kernel's ELF file, or of a boot image (.imx) for boards that have such
	Mem     uint64    // RAM in bytes, a multiple of 1 MiB
	CPUs    int       // number of CPUs; 0 is 1
	CPU     string    // CPU model with features, as -cpu takes it: "qemu64,+rdrand"
	Cmdline string    // kernel command line
	Ports   []Forward // ports of the host that lead to ports of the guest
	Devices []string  // further devices, as -device takes them
	Accel   string    // AccelAuto, AccelKVM, AccelTCG; "" is AccelAuto
	Initrd  string    // path of an initial ramdisk, for kernels that take one
	Netdev  string    // what the card is connected to in place of user networking, as -netdev takes it, without id: "tap,ifname=tap0"
	More    []string  // further arguments, as they stand

	// Console, when not nil, gets a live copy of the console: one Write for each line, its newline included. A slow
	// writer slows the guest. It is not part of the command line.
	Console io.Writer
}

// ConfigError reports a setting that cannot be used.
type ConfigError struct {
	Field   string // the field of Config, or the part of a port
	Value   string // what it was
	Allowed string // what it may be
}

func (e *ConfigError) Error() string {
	return fmt.Sprintf("%s is %q; allowed: %s", e.Field, e.Value, e.Allowed)
}

func badConfig(field, value, allowed string) *ConfigError {
	return &ConfigError{Field: field, Value: value, Allowed: allowed}
}

// cpuModel accepts what QEMU's models and features are spelled with. Nothing else reaches -cpu, where a stray
// property would come up as an obscure QEMU error.
var cpuModel = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.+=,-]*$`)

// Args returns the program and the arguments that boot c. It starts nothing and looks at nothing but /dev/kvm and a boot image. The
// error is a *ConfigError.
func (c Config) Args() (program string, args []string, err error) {
	b, err := c.board()
	if err != nil {
		return "", nil, err
	}
	if err := c.check(b); err != nil {
		return "", nil, err
	}
	accel, err := b.accel(c.Accel)
	if err != nil {
		return "", nil, err
	}
	// -nodefaults and -no-user-config: the machine is what stands here. -no-reboot: a triple fault ends QEMU.
	args = append(args, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio")
	args = append(args, b.Machine...)
	args = append(args, "-accel", accel, "-cpu", orDefault(c.CPU, b.CPU),
		"-smp", strconv.Itoa(orDefault(c.CPUs, 1)), "-m", mebibytes(orDefault(c.Mem, b.Mem)))
	kernel, err := c.kernelArgs(b)
	if err != nil {
		return "", nil, err
	}
	args = append(args, kernel...)
	var options strings.Builder
	for _, f := range c.Ports {
		options.WriteString(",hostfwd=" + f.hostfwd())
	}
	for _, a := range b.Net {
		if rest, ok := strings.CutPrefix(a, userNetdev); ok && c.Netdev != "" {
			a = c.Netdev + ",id=net0" + rest
		}
		args = append(args, strings.ReplaceAll(a, netOptions, options.String()))
	}
	for _, d := range c.Devices {
		args = append(args, "-device", d)
	}
	args = append(args, c.More...)
	return b.Program, args, nil
}

// board returns the Board that c names.
func (c Config) board() (*Board, error) {
	return LookupBoard(orDefault(c.Board, "microvm"))
}

// check returns the first field of c that b cannot take.
func (c Config) check(b *Board) error {
	switch {
	case c.Kernel == "":
		return badConfig("Kernel", c.Kernel, "the path of a kernel's ELF file")
	case c.Mem != 0 && (c.Mem < b.MinMem || c.Mem > b.MaxMem || c.Mem%mib != 0):
		return badConfig("Mem", FormatSize(c.Mem), fmt.Sprintf("whole megabytes from %s to %s for board %s",
			FormatSize(b.MinMem), FormatSize(b.MaxMem), b.Name))
	case c.CPUs < 0 || c.CPUs > b.MaxCPUs:
		return badConfig("CPUs", strconv.Itoa(c.CPUs), fmt.Sprintf("1 to %d for board %s", b.MaxCPUs, b.Name))
	case c.CPU != "" && !cpuModel.MatchString(c.CPU):
		return badConfig("CPU", c.CPU, "a model of '"+b.Program+" -cpu help', with features as in qemu64,+rdrand")
	case strings.ContainsAny(c.Cmdline, "\x00\n\r"):
		return badConfig("Cmdline", c.Cmdline, "one line of text")
	}
	if c.Netdev != "" && len(c.Ports) > 0 {
		return badConfig("Netdev", c.Netdev, "user networking, \"\", where Ports are given")
	}
	for _, d := range c.Devices {
		if d == "" || strings.HasPrefix(d, "-") {
			return badConfig("Devices", d, "a device of '"+b.Program+" -device help', with its properties")
		}
	}
	return checkPorts(c.Ports)
}

// ParseSize reads a size of memory as QEMU's -m does: a number with the suffix K, M, G or T, megabytes without one.
// The result is in bytes.
func ParseSize(s string) (uint64, error) {
	bad := badConfig("Mem", s, "a size such as 64M, 512M or 4G")
	digits, shift := s, 20
	if n := len(s); n > 0 {
		if i := strings.IndexByte("KMGT", s[n-1]&^0x20); i >= 0 {
			digits, shift = s[:n-1], 10*(i+1)
		}
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || n == 0 || n > math.MaxUint64>>shift {
		return 0, bad
	}
	return n << shift, nil
}

// FormatSize writes bytes as ParseSize reads them, in the largest unit that leaves no remainder.
func FormatSize(bytes uint64) string {
	for shift, unit := 40, 3; unit >= 0; shift, unit = shift-10, unit-1 {
		if bytes != 0 && bytes%(1<<shift) == 0 {
			return strconv.FormatUint(bytes>>shift, 10) + "KMGT"[unit:unit+1]
		}
	}
	return strconv.FormatUint(bytes, 10) + " bytes"
}

// mebibytes writes bytes for -m.
func mebibytes(bytes uint64) string { return strconv.FormatUint(bytes/mib, 10) + "M" }

// orDefault returns v, or def when v is the zero value.
func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// CommandLine joins a program and its arguments into one line that a POSIX shell splits back into them.
func CommandLine(program string, args []string) string {
	words := make([]string, 0, len(args)+1)
	for _, a := range append([]string{program}, args...) {
		words = append(words, shellQuote(a))
	}
	return strings.Join(words, " ")
}

// plainWord needs no quoting in any POSIX shell.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:,+=@%^-]+$`)

func shellQuote(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
