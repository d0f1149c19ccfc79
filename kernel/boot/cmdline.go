// Package boot reads what a boot loader hands to the kernel: the command line
// and the memory map. It touches no hardware; boards copy the loader's
// bytes and give them here.
//
// The command line is a sequence of words separated by white space, as Linux's: key=value
// or a bare key. Double quotes keep white space in a word and are removed. Keys
// that the kernel takes:
//
//	ip=10.0.2.15/24         the first interface's address and prefix length
//	gw=10.0.2.2             the default gateway
//	dns=10.0.2.3[,…]        name servers, in order of preference, each with an optional :port
//	hostname=name           the machine's name, RFC 1123 §2.1
//	virtio_mmio.device=…    a virtio-mmio slot, see [Slot]
//	virtio_net.disable=…    features that virtio-net devices do without: csum,tso4,… or all
//	sysctl.name=value       a setting of the network, as on Linux: sysctl.net.ipv4.tcp_recovery=0
//	gro=off                 TCP segments that come in are not joined, see package link
//	GOGC=400                the collector's setting, as package runtime has it, or off; see [GC]
//
// All other words are left to the appliance, see [Args].
package boot

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
)

// dnsPort is where name servers listen, RFC 1035 §4.2.
const dnsPort = 53

// Config is what the command line says. What it does not say, or says
// wrongly, has its zero value.
type Config struct {
	Addr     netip.Prefix     // ip=, with the host part
	Gateway  netip.Addr       // gw=
	DNS      []netip.AddrPort // dns=
	Hostname string           // hostname=
	Slots    []Slot           // virtio_mmio.device=

	// NetDisable are the names of virtio_net.disable=, for package virtionet to understand.
	NetDisable []string

	// Sysctls are the words of sysctl., for package netdev to understand, in order.
	Sysctls []Sysctl

	// NoGRO is set by gro=off: interfaces do without generic receive offload.
	NoGRO bool

	// GOGC is the heap's growth between collections in percent, negative for off, 0 where the
	// command line does not say.
	GOGC int

	// Args holds the words that are not the kernel's, unquoted, in order.
	Args []string

	// Warnings has a line for each word that is wrong: what, why, and that
	// it is not used.
	Warnings []string
}

// A Sysctl is a setting by its name in Linux, as net.ipv4.tcp_recovery.
type Sysctl struct{ Name, Value string }

// Parse reads a kernel command line. Where a key comes twice the last valid one counts,
// except for virtio_mmio.device, virtio_net.disable and sysctl., which add up. It does not fail: what is
// wrong is left out and named in Warnings.
func Parse(cmdline string) Config {
	var c Config
	for _, word := range split(cmdline) {
		key, value, _ := strings.Cut(word, "=")
		if name, ok := strings.CutPrefix(key, "sysctl."); ok {
			c.Sysctls = append(c.Sysctls, Sysctl{name, value})
			continue
		}
		set, ok := keys[key]
		if !ok {
			c.Args = append(c.Args, word)
			continue
		}
		if err := set(&c, value); err != nil {
			c.Warnings = append(c.Warnings,
				fmt.Sprintf("command line: %q is not used: %v", word, err))
		}
	}
	return c
}

// keys are the keys that the kernel takes.
var keys = map[string]func(c *Config, value string) error{
	"ip":                 (*Config).setAddr,
	"gw":                 (*Config).setGateway,
	"dns":                (*Config).setDNS,
	"hostname":           (*Config).setHostname,
	"virtio_mmio.device": (*Config).addSlot,
	"virtio_net.disable": (*Config).addNetDisable,
	"gro":                (*Config).setGRO,
	"GOGC":               (*Config).setGOGC,
}

func (c *Config) setAddr(value string) error {
	p, err := netip.ParsePrefix(value)
	if err != nil {
		return fmt.Errorf("want an address and a prefix length, as ip=10.0.2.15/24")
	}
	if a := p.Addr(); a.IsUnspecified() || a.IsMulticast() {
		return fmt.Errorf("%v is no address for an interface", a)
	}
	c.Addr = p
	return nil
}

func (c *Config) setGateway(value string) error {
	a, err := netip.ParseAddr(value)
	if err != nil || a.IsUnspecified() || a.IsMulticast() {
		return fmt.Errorf("want a host's address, as gw=10.0.2.2")
	}
	c.Gateway = a
	return nil
}

func (c *Config) setDNS(value string) error {
	var servers []netip.AddrPort
	for s := range strings.SplitSeq(value, ",") {
		a, err := parseServer(s)
		if err != nil {
			return err
		}
		servers = append(servers, a)
	}
	c.DNS = servers
	return nil
}

// parseServer reads an address with an optional port.
func parseServer(s string) (netip.AddrPort, error) {
	ap, err := netip.ParseAddrPort(s)
	if err != nil {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return netip.AddrPort{}, fmt.Errorf("want addresses, as dns=10.0.2.3,10.0.2.4:5353")
		}
		ap = netip.AddrPortFrom(a, dnsPort)
	}
	if ap.Port() == 0 || ap.Addr().IsUnspecified() || ap.Addr().IsMulticast() {
		return netip.AddrPort{}, fmt.Errorf("%v is no name server", ap)
	}
	return ap, nil
}

func (c *Config) setHostname(value string) error {
	if err := checkHostname(value); err != nil {
		return err
	}
	c.Hostname = value
	return nil
}

// checkHostname says what is wrong with a host name by RFC 1123 §2.1, RFC 1035 §2.3.4.
func checkHostname(name string) error {
	const maxName, maxLabel = 253, 63

	if len(name) > maxName {
		return fmt.Errorf("a name has at most %d characters", maxName)
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' {
			return fmt.Errorf("want labels of 1 to %d characters that neither begin nor end with a hyphen", maxLabel)
		}
		for _, r := range label {
			if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' {
				return fmt.Errorf("%q is not a letter, digit or hyphen", r)
			}
		}
	}
	return nil
}

func (c *Config) addNetDisable(value string) error {
	names := strings.Split(value, ",")
	for _, name := range names {
		if name == "" {
			return fmt.Errorf("want names of features, as virtio_net.disable=csum,tso4")
		}
	}
	c.NetDisable = append(c.NetDisable, names...)
	return nil
}

func (c *Config) setGRO(value string) error {
	if value != "on" && value != "off" {
		return fmt.Errorf("want on or off")
	}
	c.NoGRO = value == "off"
	return nil
}

// split returns the words of a command line, without their quotes. A quote that
// is not closed ends with the line.
func split(s string) []string {
	var (
		words          []string
		word           strings.Builder
		inWord, quoted bool
	)
	for _, r := range []byte(s) {
		space := r == ' ' || r == '\t' || r == '\n' || r == '\r'
		switch {
		case r == '"':
			quoted = !quoted
			inWord = true
		case space && !quoted:
			if inWord {
				words = append(words, word.String())
				word.Reset()
			}
			inWord = false
		default:
			word.WriteByte(r)
			inWord = true
		}
	}
	if inWord {
		words = append(words, word.String())
	}
	return words
}

// args are the appliance's words of the command line that the board booted with.
var args struct {
	sync.Mutex
	words []string
}

// SetArgs says what [Args] returns. Boards call it before main.
func SetArgs(words []string) {
	args.Lock()
	defer args.Unlock()
	args.words = words
}

// Args returns the words of the kernel command line that are not the kernel's, in
// order; none on an ordinary operating system. The caller must not change them.
func Args() []string {
	args.Lock()
	defer args.Unlock()
	return args.words
}

// Lookup returns the value of the last of the words of [Args] that is key or
// key=value, and whether there is one.
func Lookup(key string) (value string, ok bool) {
	for _, word := range Args() {
		if k, v, _ := strings.Cut(word, "="); k == key {
			value, ok = v, true
		}
	}
	return value, ok
}
