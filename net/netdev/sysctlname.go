package netdev

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// page is the unit of net.ipv4.tcp_mem, in bytes.
const page = 4 * kib

// A setting reads and writes a sysctl. Numbers of a value are separated by white space.
type setting struct {
	get func(s *Stack) (string, error)
	set func(s *Stack, value string) error
}

// sysctls are the settings by their names in Linux (Documentation/networking/ip-sysctl.rst,
// Documentation/admin-guide/sysctl/net.rst).
var sysctls = map[string]setting{
	"net.core.somaxconn":                  int32Setting(1, math.MaxUint16, func(c *Sysctl) *atomic.Int32 { return &c.SoMaxConn }),
	"net.core.rmem_max":                   int32Setting(1, math.MaxInt32/2, func(c *Sysctl) *atomic.Int32 { return &c.RmemMax }),
	"net.core.wmem_max":                   int32Setting(1, math.MaxInt32/2, func(c *Sysctl) *atomic.Int32 { return &c.WmemMax }),
	"net.ipv4.ip_unprivileged_port_start": int32Setting(0, math.MaxUint16, func(c *Sysctl) *atomic.Int32 { return &c.UnprivilegedPortStart }),
	"net.ipv4.ip_nonlocal_bind":           boolSetting(func(c *Sysctl) *atomic.Bool { return &c.NonlocalBind }),
	"net.ipv6.bindv6only":                 boolSetting(func(c *Sysctl) *atomic.Bool { return &c.BindV6Only }),
	"net.ipv4.tcp_mem":                    {getMem, setMem},
	"net.ipv4.tcp_congestion_control":     {getCongestion, setCongestion},
	"net.ipv4.tcp_recovery": tcpNumber(0, 7, func(v int64) tcpip.TCPRecovery { return tcpip.TCPRecovery(v) },
		func(v tcpip.TCPRecovery) int64 { return int64(v) }),
	"net.ipv4.tcp_sack": tcpNumber(0, 1, func(v int64) tcpip.TCPSACKEnabled { return v == 1 },
		func(v tcpip.TCPSACKEnabled) int64 { return bit(bool(v)) }),
	"net.ipv4.tcp_moderate_rcvbuf": tcpNumber(0, 1, func(v int64) tcpip.TCPModerateReceiveBufferOption { return v == 1 },
		func(v tcpip.TCPModerateReceiveBufferOption) int64 { return bit(bool(v)) }),
	"net.ipv4.tcp_rto_min_us": tcpNumber(1000, 120e6,
		func(v int64) tcpip.TCPMinRTOOption { return tcpip.TCPMinRTOOption(time.Duration(v) * time.Microsecond) },
		func(v tcpip.TCPMinRTOOption) int64 { return time.Duration(v).Microseconds() }),
	"net.ipv4.tcp_rmem": tcpRange(
		func(r BufferRange) tcpip.TCPReceiveBufferSizeRangeOption {
			return tcpip.TCPReceiveBufferSizeRangeOption{Min: r.Min, Default: r.Default, Max: r.Max}
		},
		func(o tcpip.TCPReceiveBufferSizeRangeOption) BufferRange { return BufferRange{o.Min, o.Default, o.Max} }),
	"net.ipv4.tcp_wmem": tcpRange(
		func(r BufferRange) tcpip.TCPSendBufferSizeRangeOption {
			return tcpip.TCPSendBufferSizeRangeOption{Min: r.Min, Default: r.Default, Max: r.Max}
		},
		func(o tcpip.TCPSendBufferSizeRangeOption) BufferRange { return BufferRange{o.Min, o.Default, o.Max} }),
}

// SetSysctl changes a setting by its name in Linux, as "net.ipv4.tcp_recovery" to "0", for sockets that are made
// from now on. The error is one of [fs.ErrNotExist] for a name that is not known, or says what the value may be; then nothing has
// changed. On the kernel command line a setting is written sysctl.net.ipv4.tcp_recovery=0, as on Linux.
func (s *Stack) SetSysctl(name, value string) error {
	e, ok := sysctls[name]
	if !ok {
		return unknownSysctl(name)
	}
	if err := e.set(s, value); err != nil {
		return fmt.Errorf("netdev: %s: %q: %w", name, value, err)
	}
	return nil
}

// GetSysctl returns a setting as SetSysctl takes it. The error is one of [fs.ErrNotExist] for a name that is not known.
func (s *Stack) GetSysctl(name string) (string, error) {
	e, ok := sysctls[name]
	if !ok {
		return "", unknownSysctl(name)
	}
	return e.get(s)
}

func unknownSysctl(name string) error {
	return fmt.Errorf("netdev: sysctl %q: %w; there are: %s", name, fs.ErrNotExist, strings.Join(slices.Sorted(maps.Keys(sysctls)), ", "))
}

// parseNumbers reads n numbers.
func parseNumbers(value string, n int, least, most int64) ([]int64, error) {
	bad := fmt.Errorf("want %d number(s) from %d to %d", n, least, most)
	fields := strings.Fields(value)
	if len(fields) != n {
		return nil, bad
	}
	var all []int64
	for _, f := range fields {
		v, err := strconv.ParseInt(f, 10, 64)
		if err != nil || v < least || v > most {
			return nil, bad
		}
		all = append(all, v)
	}
	return all, nil
}

func bit(v bool) int64 {
	if v {
		return 1
	}
	return 0
}

// int32Setting is a setting of Sysctl.
func int32Setting(least, most int64, field func(*Sysctl) *atomic.Int32) setting {
	return setting{
		func(s *Stack) (string, error) { return fmt.Sprint(field(&s.Sysctl).Load()), nil },
		func(s *Stack, value string) error {
			v, err := parseNumbers(value, 1, least, most)
			if err == nil {
				field(&s.Sysctl).Store(int32(v[0]))
			}
			return err
		},
	}
}

// boolSetting is a setting of Sysctl that is 0 or 1.
func boolSetting(field func(*Sysctl) *atomic.Bool) setting {
	return setting{
		func(s *Stack) (string, error) { return fmt.Sprint(bit(field(&s.Sysctl).Load())), nil },
		func(s *Stack, value string) error {
			v, err := parseNumbers(value, 1, 0, 1)
			if err == nil {
				field(&s.Sysctl).Store(v[0] == 1)
			}
			return err
		},
	}
}

// An option is one of gVisor's TCP, by pointer.
type option[T any] interface {
	*T
	tcpip.SettableTransportProtocolOption
	tcpip.GettableTransportProtocolOption
}

func tcpGet[T any, P option[T]](s *Stack) (v T, err error) {
	if err := s.ip.TransportProtocolOption(tcp.ProtocolNumber, P(&v)); err != nil {
		return v, fmt.Errorf("netdev: TCP option %T: %s", v, err)
	}
	return v, nil
}

func tcpSet[T any, P option[T]](s *Stack, v T) error {
	if err := s.ip.SetTransportProtocolOption(tcp.ProtocolNumber, P(&v)); err != nil {
		return fmt.Errorf("TCP option %T: %s", v, err)
	}
	return nil
}

// tcpNumber is a setting of gVisor's TCP that is a number.
func tcpNumber[T any, P option[T]](least, most int64, to func(int64) T, from func(T) int64) setting {
	return setting{
		func(s *Stack) (string, error) {
			v, err := tcpGet[T, P](s)
			return fmt.Sprint(from(v)), err
		},
		func(s *Stack, value string) error {
			v, err := parseNumbers(value, 1, least, most)
			if err != nil {
				return err
			}
			return tcpSet[T, P](s, to(v[0]))
		},
	}
}

// tcpRange is a setting of gVisor's TCP that is the bounds of a buffer.
func tcpRange[T any, P option[T]](to func(BufferRange) T, from func(T) BufferRange) setting {
	return setting{
		func(s *Stack) (string, error) {
			v, err := tcpGet[T, P](s)
			r := from(v)
			return fmt.Sprint(r.Min, r.Default, r.Max), err
		},
		func(s *Stack, value string) error {
			v, err := parseNumbers(value, 3, 1, math.MaxInt32)
			if err != nil {
				return err
			}
			if !slices.IsSorted(v) {
				return errors.New("want the smallest, the first and the largest size, in that order")
			}
			return tcpSet[T, P](s, to(BufferRange{int(v[0]), int(v[1]), int(v[2])}))
		},
	}
}

func getCongestion(s *Stack) (string, error) {
	v, err := tcpGet[tcpip.CongestionControlOption](s)
	return string(v), err
}

func setCongestion(s *Stack, value string) error {
	if err := tcpSet(s, tcpip.CongestionControlOption(value)); err != nil {
		have, _ := tcpGet[tcpip.TCPAvailableCongestionControlOption](s)
		return fmt.Errorf("there are: %s", have)
	}
	return nil
}

func getMem(s *Stack) (string, error) {
	pressure := s.Sysctl.MemPressure.Load() / page
	return fmt.Sprint(pressure, pressure, s.Sysctl.MemMax.Load()/page), nil
}

// setMem sets the bounds on all sockets together, in pages. The first number, below which Linux looks at nothing, means nothing here.
func setMem(s *Stack, value string) error {
	v, err := parseNumbers(value, 3, 0, math.MaxInt32)
	if err != nil {
		return err
	}
	if !slices.IsSorted(v) {
		return errors.New("want numbers that do not fall")
	}
	s.Sysctl.MemPressure.Store(v[1] * page)
	s.Sysctl.MemMax.Store(v[2] * page)
	return nil
}
