package qemu

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Forward is a port of the host that leads to a port of the guest.
type Forward struct {
	Proto string     // "tcp" or "udp"
	Host  netip.Addr // address of the host to listen on; the zero Addr is 127.0.0.1
	Port  uint16     // port of the host; 0 has Start pick a free one
	Guest uint16     // port of the guest
}

// loopback is where forwards listen when nothing else is said: a test machine's ports are nobody else's business.
var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// ParsePorts reads a comma-separated list of forwards: [address:]host:guest[/tcp|/udp], such as
// "8080:80,5001:5001/udp,0.0.0.0:2222:22". The empty string is no forward. The error is a *ConfigError.
func ParsePorts(s string) ([]Forward, error) {
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	var ports []Forward
	for _, item := range strings.Split(s, ",") {
		f, err := parseForward(strings.TrimSpace(item))
		if err != nil {
			return nil, err
		}
		ports = append(ports, f)
	}
	return ports, checkPorts(ports)
}

// parseForward reads one item of ParsePorts.
func parseForward(item string) (Forward, error) {
	bad := badConfig("Ports", item, "host:guest[/tcp|/udp], such as 8080:80 or 5001:5001/udp, with ports from 1 to 65535 (host 0: any free one)")
	spec, proto, found := strings.Cut(item, "/")
	if !found {
		proto = "tcp"
	}
	f := Forward{Proto: strings.ToLower(proto)}
	parts := strings.Split(spec, ":")
	if len(parts) == 3 {
		addr, err := netip.ParseAddr(parts[0])
		if err != nil || !addr.Is4() {
			return f, badConfig("Ports", item, "an IPv4 address of the host before the first colon of three parts")
		}
		f.Host, parts = addr, parts[1:]
	}
	if len(parts) != 2 {
		return f, bad
	}
	host, err1 := strconv.ParseUint(parts[0], 10, 16)
	guest, err2 := strconv.ParseUint(parts[1], 10, 16)
	if err1 != nil || err2 != nil {
		return f, bad
	}
	f.Port, f.Guest = uint16(host), uint16(guest)
	return f, nil
}

// checkPorts finds forwards that QEMU would refuse, or that hide each other.
func checkPorts(ports []Forward) error {
	taken := make(map[Forward]bool)
	for _, f := range ports {
		if f.Proto != "tcp" && f.Proto != "udp" {
			return badConfig("Ports", f.String(), "the protocols tcp and udp")
		}
		if f.Guest == 0 {
			return badConfig("Ports", f.String(), "a port of the guest from 1 to 65535")
		}
		if f.Host.IsValid() && !f.Host.Is4() {
			return badConfig("Ports", f.String(), "an IPv4 address of the host")
		}
		f.Host, f.Guest = orDefault(f.Host, loopback), 0
		if f.Port != 0 && taken[f] {
			return badConfig("Ports", fmt.Sprintf("%d/%s", f.Port, f.Proto), "each port of the host once")
		}
		taken[f] = true
	}
	return nil
}

// String writes f as ParsePorts reads it.
func (f Forward) String() string {
	s := fmt.Sprintf("%d:%d", f.Port, f.Guest)
	if f.Host.IsValid() && f.Host != loopback {
		s = f.Host.String() + ":" + s
	}
	if f.Proto != "tcp" {
		s += "/" + f.Proto
	}
	return s
}

// Addr returns the host's end of f, as net.Dial takes it.
func (f Forward) Addr() string {
	return netip.AddrPortFrom(orDefault(f.Host, loopback), f.Port).String()
}

// hostfwd writes f as QEMU's user netdev takes it.
func (f Forward) hostfwd() string {
	return fmt.Sprintf("%s:%s:%d-:%d", f.Proto, orDefault(f.Host, loopback), f.Port, f.Guest)
}

// PortError reports a port of the host that cannot be listened on.
type PortError struct {
	Forward Forward
	Err     error // from the attempt to listen; syscall.EADDRINUSE when another program holds the port
}

func (e *PortError) Error() string {
	opt := "-l" + e.Forward.Proto[:1] + "np"
	return fmt.Sprintf("port %d/%s of the host cannot be used (%v); see who holds it with: ss %s 'sport = :%d'; or choose another: PORTS=%d:%d",
		e.Forward.Port, e.Forward.Proto, e.Err, opt, e.Forward.Port, uint32(e.Forward.Port)+1, e.Forward.Guest)
}

func (e *PortError) Unwrap() error { return e.Err }

// CheckPorts returns a *PortError for the first of ports whose host end cannot be listened on now. A Port of 0 is
// always free.
func CheckPorts(ctx context.Context, ports []Forward) error {
	_, release, err := reservePorts(ctx, ports)
	release()
	return err
}

// reservePorts listens on the host's end of each of ports, which shows that it is free and finds a free one for each
// Port that is 0. They stay taken until release, which is never nil. The result is ports with no Port of 0.
func reservePorts(ctx context.Context, ports []Forward) (_ []Forward, release func(), err error) {
	var held []io.Closer
	release = func() {
		for _, c := range held {
			c.Close()
		}
	}
	chosen := make([]Forward, len(ports))
	for i, f := range ports {
		l, addr, err := f.listen(ctx)
		if err != nil {
			return nil, release, &PortError{Forward: f, Err: err}
		}
		held = append(held, l)
		f.Port = netip.MustParseAddrPort(addr.String()).Port()
		chosen[i] = f
	}
	return chosen, release, nil
}

// listen listens on the host's end of f, as QEMU will.
func (f Forward) listen(ctx context.Context) (io.Closer, net.Addr, error) {
	var lc net.ListenConfig
	if f.Proto == "udp" {
		c, err := lc.ListenPacket(ctx, "udp4", f.Addr())
		if err != nil {
			return nil, nil, err
		}
		return c, c.LocalAddr(), nil
	}
	l, err := lc.Listen(ctx, "tcp4", f.Addr())
	if err != nil {
		return nil, nil, err
	}
	return l, l.Addr(), nil
}
