//go:build linux

package oracle

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/socket"
)

// ioctlSys is what scenarios about ioctl need more. The typed arguments are
// those of socket.Task.Ioctl.
type ioctlSys interface {
	ioctl(fd int, cmd uint, arg any) error
	pid() int
}

var (
	_ ioctlSys = linux{}
	_ ioctlSys = tamanet{}
)

func (s tamanet) ioctl(fd int, cmd uint, arg any) error { return s.t.Ioctl(fd, cmd, arg) }
func (s tamanet) pid() int                              { return int(s.t.Cred.Pid) }
func (linux) pid() int                                  { return unix.Getpid() }

// ioctl converts the typed argument to C's structure and back.
func (linux) ioctl(fd int, cmd uint, arg any) error {
	var b [120]byte
	var link [8]byte
	switch v := arg.(type) {
	case *int:
		binary.NativeEndian.PutUint32(b[:], uint32(*v))
	case *socket.Ifreq:
		putIfreq(b[:], cmd, v)
		if e, ok := v.Data.(*socket.EthtoolValue); ok {
			binary.NativeEndian.PutUint32(link[:], e.Cmd)
			// SAFETY: the kernel writes 8 bytes to link, which outlives the call.
			binary.NativeEndian.PutUint64(b[unix.IFNAMSIZ:], uint64(uintptr(unsafe.Pointer(&link))))
		}
	case *socket.Rtentry:
		copy(b[8:], v.Dst.Append(nil))
		copy(b[24:], v.Gateway.Append(nil))
		copy(b[40:], v.Genmask.Append(nil))
		binary.NativeEndian.PutUint16(b[56:], v.Flags)
		if v.Dev != "" {
			dev := append([]byte(v.Dev), 0)
			binary.NativeEndian.PutUint64(b[88:], uint64(uintptr(unsafe.Pointer(&dev[0]))))
		}
	case *socket.Arpreq:
		copy(b[:], v.PA.Append(nil))
		binary.NativeEndian.PutUint16(b[16:], v.HAType)
		copy(b[18:], v.HA)
		binary.NativeEndian.PutUint32(b[32:], uint32(v.Flags))
		copy(b[52:], v.Dev)
	}
	// SAFETY: the kernel reads and writes at most what the command's
	// structure has, which is less than b, and what b points to.
	_, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(cmd), uintptr(unsafe.Pointer(&b)))
	if _, err := result(0, e); err != nil {
		return err
	}
	switch v := arg.(type) {
	case *int:
		*v = int(int32(binary.NativeEndian.Uint32(b[:])))
	case *time.Time:
		*v = time.Unix(int64(binary.NativeEndian.Uint64(b[:])), 0)
	case *socket.Ifreq:
		getIfreq(b[:], cmd, v)
		if e, ok := v.Data.(*socket.EthtoolValue); ok {
			e.Data = binary.NativeEndian.Uint32(link[4:])
		}
	}
	return nil
}

func putIfreq(b []byte, cmd uint, v *socket.Ifreq) {
	copy(b[:unix.IFNAMSIZ-1], v.Name)
	u := b[unix.IFNAMSIZ:]
	switch cmd {
	case socket.SIOCGIFNAME:
		binary.NativeEndian.PutUint32(u, uint32(v.Index))
	case socket.SIOCSIFFLAGS:
		binary.NativeEndian.PutUint16(u, uint16(v.Flags))
	case socket.SIOCSIFMTU:
		binary.NativeEndian.PutUint32(u, uint32(v.MTU))
	case socket.SIOCSIFHWADDR, socket.SIOCADDMULTI, socket.SIOCDELMULTI:
		binary.NativeEndian.PutUint16(u, v.HWType)
		copy(u[2:], v.HWAddr)
	case socket.SIOCSIFADDR, socket.SIOCSIFNETMASK, socket.SIOCSIFBRDADDR:
		copy(u, v.Addr.Append(nil))
	}
}

func getIfreq(b []byte, cmd uint, v *socket.Ifreq) {
	u := b[unix.IFNAMSIZ:]
	switch cmd {
	case socket.SIOCGIFNAME:
		v.Name = unix.ByteSliceToString(b[:unix.IFNAMSIZ])
	case socket.SIOCGIFINDEX:
		v.Index = int(binary.NativeEndian.Uint32(u))
	case socket.SIOCGIFFLAGS:
		v.Flags = netdev.InterfaceFlags(binary.NativeEndian.Uint16(u))
	case socket.SIOCGIFMTU:
		v.MTU = int(binary.NativeEndian.Uint32(u))
	case socket.SIOCGIFHWADDR:
		v.HWType = binary.NativeEndian.Uint16(u)
		v.HWAddr = append(net.HardwareAddr{}, u[2:8]...)
	case socket.SIOCGIFADDR, socket.SIOCGIFNETMASK, socket.SIOCGIFBRDADDR, socket.SIOCGIFDSTADDR:
		v.Addr, _ = socket.ParseSockaddr(u[:socket.SizeofSockaddrIn])
	}
}

// Inq notes how much can be read, once it is what it is on the other system.
func (r *run) Inq(fd int) {
	var n int
	err := r.eventually("SIOCINQ", func() (string, error) {
		err := r.sys.(ioctlSys).ioctl(fd, socket.SIOCINQ, &n)
		return fmt.Sprint(n), err
	})
	r.outcome("SIOCINQ", err, n)
}

// Ioctl notes the outcome of a command and what it left in its argument.
func (r *run) Ioctl(fd int, cmd uint, arg any) {
	err := r.sys.(ioctlSys).ioctl(fd, cmd, arg)
	var result any = arg
	switch v := arg.(type) {
	case *int:
		result = *v
	case *socket.Ifreq:
		v.Data = nil
		result = fmt.Sprintf("%+v", *v)
	default:
		result = ""
	}
	r.outcome(fmt.Sprintf("ioctl %#x", cmd), err, result)
}

func ioctlScenarios() []scenario {
	var list []scenario
	for _, name := range []string{"lo", "nothere", "lo:1", ""} {
		for cmd, label := range map[uint]string{
			socket.SIOCGIFINDEX: "SIOCGIFINDEX", socket.SIOCGIFFLAGS: "SIOCGIFFLAGS", socket.SIOCGIFMTU: "SIOCGIFMTU",
			socket.SIOCGIFMETRIC: "SIOCGIFMETRIC", socket.SIOCGIFHWADDR: "SIOCGIFHWADDR", socket.SIOCGIFADDR: "SIOCGIFADDR",
			socket.SIOCGIFNETMASK: "SIOCGIFNETMASK", socket.SIOCGIFBRDADDR: "SIOCGIFBRDADDR", socket.SIOCGIFDSTADDR: "SIOCGIFDSTADDR",
			socket.SIOCDEVPRIVATE: "SIOCDEVPRIVATE", socket.SIOCSIFMETRIC: "SIOCSIFMETRIC",
		} {
			list = append(list, both(fmt.Sprintf("ioctl/%s/%q", label, name), func(r *run, family int) {
				r.Ioctl(r.open(family, dgram), cmd, &socket.Ifreq{Name: name})
				r.Ioctl(r.open(family, stream), cmd, &socket.Ifreq{Name: name})
			})...)
		}
	}
	list = append(list, both("ioctl/SIOCGIFNAME", func(r *run, family int) {
		fd := r.open(family, dgram)
		for _, index := range []int{1, 0, 77, -1} {
			r.Ioctl(fd, socket.SIOCGIFNAME, &socket.Ifreq{Index: index})
		}
	})...)
	list = append(list, both("ioctl/SIOCETHTOOL link", func(r *run, family int) {
		fd := r.open(family, dgram)
		v := &socket.EthtoolValue{Cmd: socket.ETHTOOL_GLINK}
		r.Ioctl(fd, socket.SIOCETHTOOL, &socket.Ifreq{Name: "lo", Data: v})
		r.outcome("link", nil, v.Data)
		r.Ioctl(fd, socket.SIOCETHTOOL, &socket.Ifreq{Name: "lo", Data: &socket.EthtoolValue{Cmd: 0x7f}})
		r.Ioctl(fd, socket.SIOCETHTOOL, &socket.Ifreq{Name: "nothere", Data: v})
	})...)
	list = append(list, both("ioctl/owner", func(r *run, family int) {
		fd := r.open(family, dgram)
		for set, get := range map[uint]uint{socket.FIOSETOWN: socket.FIOGETOWN, socket.SIOCSPGRP: socket.SIOCGPGRP} {
			var got int
			for _, v := range []int{r.sys.(ioctlSys).pid(), 0, 1 << 29, -1 << 31} {
				want := v
				err := r.sys.(ioctlSys).ioctl(fd, set, &v)
				e2 := r.sys.(ioctlSys).ioctl(fd, get, &got)
				r.outcome("set", err)
				r.outcome("get", e2, got == want)
			}
		}
	})...)
	list = append(list, both("ioctl/SIOCGSTAMP", func(r *run, family int) {
		a, b := r.peers(family)
		var at time.Time
		r.outcome("before", r.sys.(ioctlSys).ioctl(b, socket.SIOCGSTAMP, &at))
		r.Send(a, "x", 0)
		r.Recv(b, 4, 0)
		err := r.sys.(ioctlSys).ioctl(b, socket.SIOCGSTAMP, &at)
		r.outcome("after", err, time.Since(at).Abs() < time.Minute)
		r.outcome("stream", r.sys.(ioctlSys).ioctl(r.open(family, stream), socket.SIOCGSTAMPNS, &at))
	})...)
	list = append(list, both("ioctl/queues", func(r *run, family int) {
		client, server, l := r.connected(family)
		r.Ioctl(l, socket.SIOCINQ, new(int))
		r.Ioctl(server, socket.SIOCATMARK, new(int))
		r.Send(client, "12345", 0)
		r.await(server, socket.POLLIN)
		r.Ioctl(server, socket.SIOCINQ, new(int))
		a, b := r.peers(family)
		r.Send(a, "123", 0)
		r.Ioctl(b, socket.SIOCINQ, new(int))
		r.Ioctl(b, socket.SIOCOUTQ, new(int))
		r.Ioctl(b, socket.SIOCATMARK, new(int))
	})...)
	list = append(list, both("ioctl/unknown", func(r *run, family int) {
		for _, typ := range []int{stream, dgram} {
			fd := r.open(family, typ)
			for _, cmd := range []uint{0x1234, 0x89ee, 0x8950, 0x5499} {
				r.Ioctl(fd, cmd, &socket.Ifreq{Name: "lo"})
			}
		}
	})...)
	return append(list, deviceIoctlScenarios()...)
}

// deviceIoctlScenarios change lo and put it back.
func deviceIoctlScenarios() []scenario {
	ip := func(a string) socket.Sockaddr { return at(a, 0) }
	return []scenario{
		{"ioctl/change/MTU", func(r *run) {
			fd := r.open(inet4, dgram)
			for _, mtu := range []int{1500, 576, -1, 65536} {
				r.Ioctl(fd, socket.SIOCSIFMTU, &socket.Ifreq{Name: "lo", MTU: mtu})
				r.Ioctl(fd, socket.SIOCGIFMTU, &socket.Ifreq{Name: "lo"})
			}
		}},
		{"ioctl/change/netmask", func(r *run) {
			fd := r.open(inet4, dgram)
			for _, m := range []string{"255.255.0.0", "255.0.255.0", "255.0.0.0"} {
				r.Ioctl(fd, socket.SIOCSIFNETMASK, &socket.Ifreq{Name: "lo", Addr: ip(m)})
				r.Ioctl(fd, socket.SIOCGIFNETMASK, &socket.Ifreq{Name: "lo"})
			}
			r.Ioctl(fd, socket.SIOCSIFNETMASK, &socket.Ifreq{Name: "nothere", Addr: ip("255.0.0.0")})
			r.Ioctl(fd, socket.SIOCSIFADDR, &socket.Ifreq{Name: "lo", Addr: at("::1", 0)})
		}},
		{"ioctl/change/hwaddr of lo", func(r *run) {
			fd := r.open(inet4, dgram)
			r.Ioctl(fd, socket.SIOCSIFHWADDR, &socket.Ifreq{Name: "nothere", HWType: socket.ARPHRD_ETHER})
			r.Ioctl(fd, socket.SIOCSIFHWADDR, &socket.Ifreq{Name: "lo", HWType: socket.ARPHRD_ETHER})
		}},
		{"ioctl/change/routes", func(r *run) {
			fd := r.open(inet4, dgram)
			route := func(dst, mask string, flags uint16, dev string) *socket.Rtentry {
				return &socket.Rtentry{Dst: ip(dst), Genmask: ip(mask), Flags: flags | socket.RTF_UP, Dev: dev}
			}
			for _, rt := range []*socket.Rtentry{
				route("198.51.100.0", "255.255.255.0", 0, "lo"),
				route("198.51.100.0", "255.255.255.0", 0, "lo"),
				route("198.51.100.1", "255.255.255.0", 0, "lo"),
				route("198.51.100.0", "255.0.255.0", 0, "lo"),
				route("198.51.101.1", "0.0.0.0", socket.RTF_HOST, "lo"),
				route("198.51.102.0", "255.255.255.0", 0, "nothere"),
				route("198.51.102.0", "255.255.255.0", socket.RTF_GATEWAY, "lo"),
			} {
				r.Ioctl(fd, socket.SIOCADDRT, rt)
			}
			r.Ioctl(fd, socket.SIOCADDRT, &socket.Rtentry{Dst: at("::1", 0)})
			for range 2 {
				r.Ioctl(fd, socket.SIOCDELRT, route("198.51.100.0", "255.255.255.0", 0, "lo"))
				r.Ioctl(fd, socket.SIOCDELRT, route("198.51.101.1", "0.0.0.0", socket.RTF_HOST, "lo"))
			}
		}},
		{"ioctl/ARP", func(r *run) {
			fd := r.open(inet4, dgram)
			peer := netip.MustParseAddr("192.0.2.9").String()
			r.Ioctl(fd, socket.SIOCGARP, &socket.Arpreq{PA: ip(peer), Dev: "lo"})
			r.Ioctl(fd, socket.SIOCGARP, &socket.Arpreq{PA: ip(peer)})
			r.Ioctl(fd, socket.SIOCGARP, &socket.Arpreq{PA: ip(peer), Dev: "nothere"})
			r.Ioctl(fd, socket.SIOCGARP, &socket.Arpreq{PA: at("::1", 0), Dev: "lo"})
			r.Ioctl(fd, socket.SIOCSARP, &socket.Arpreq{PA: ip(peer), Flags: socket.ATF_NETMASK, Dev: "lo"})
			r.Ioctl(fd, socket.SIOCDARP, &socket.Arpreq{PA: ip(peer), Dev: "lo"})
		}},
		{"ioctl/down and up", func(r *run) {
			fd := r.open(inet4, dgram)
			r.Ioctl(fd, socket.SIOCSIFFLAGS, &socket.Ifreq{Name: "nothere", Flags: netdev.IFF_UP})
			r.Ioctl(fd, socket.SIOCSIFFLAGS, &socket.Ifreq{Name: "lo"})
			r.Ioctl(fd, socket.SIOCGIFFLAGS, &socket.Ifreq{Name: "lo"})
			r.Ioctl(fd, socket.SIOCSIFFLAGS, &socket.Ifreq{Name: "lo", Flags: netdev.IFF_UP})
			r.Ioctl(fd, socket.SIOCGIFFLAGS, &socket.Ifreq{Name: "lo"})
		}},
		{"ioctl/groups", func(r *run) {
			fd := r.open(inet4, dgram)
			group := func(name string, hwtype uint16) *socket.Ifreq {
				return &socket.Ifreq{Name: name, HWType: hwtype, HWAddr: net.HardwareAddr{1, 0, 0x5e, 1, 2, 3}}
			}
			for _, cmd := range []uint{socket.SIOCDELMULTI, socket.SIOCADDMULTI, socket.SIOCADDMULTI, socket.SIOCDELMULTI, socket.SIOCDELMULTI} {
				r.Ioctl(fd, cmd, group("lo", 0))
				r.Ioctl(fd, cmd, group("lo", socket.ARPHRD_ETHER))
				r.Ioctl(fd, cmd, group("nothere", 0))
			}
		}},
		{"ioctl/all frames", func(r *run) {
			fd := r.open(inet4, dgram)
			for _, f := range []netdev.InterfaceFlags{netdev.IFF_ALLMULTI, netdev.IFF_PROMISC, netdev.IFF_ALLMULTI | netdev.IFF_PROMISC, 0} {
				r.Ioctl(fd, socket.SIOCSIFFLAGS, &socket.Ifreq{Name: "lo", Flags: netdev.IFF_UP | f})
				r.Ioctl(fd, socket.SIOCGIFFLAGS, &socket.Ifreq{Name: "lo"})
			}
		}},
	}
}
