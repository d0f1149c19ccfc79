//go:build tamago

package tamanet

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"sync/atomic"

	"github.com/tamanet/tamanet/board"
	"github.com/tamanet/tamanet/kernel/boot"
	"github.com/tamanet/tamanet/net/link"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/stdnet"
)

func init() {
	// Nobody can ask a machine that has stopped what its goroutines did.
	debug.SetTraceback("all")

	if err := up(board.Current()); err != nil {
		// The program decides whether it can do without.
		fmt.Fprintln(os.Stderr, "tamanet:", err)
	}
}

// up joins the machine's network devices to package net.
func up(m *board.Machine) error {
	if m == nil {
		return errors.New("no board was registered: the program was built for none")
	}
	st, err := netdev.New(netdev.Config{RAM: m.Usable})
	if err != nil {
		return err
	}
	if err := stdnet.Setup(st); err != nil {
		return err
	}
	net.SocketFunc = stdnet.SocketFunc

	cfg := m.Config()
	for _, c := range cfg.Sysctls {
		if err := st.SetSysctl(c.Name, c.Value); err != nil {
			fmt.Fprintf(os.Stderr, "tamanet: command line: \"sysctl.%s=%s\" is not used: %v\n", c.Name, c.Value, err)
		}
	}
	if cfg.Hostname != "" {
		// Where os.Hostname finds it.
		if err := os.WriteFile("/etc/hostname", []byte(cfg.Hostname+"\n"), 0o644); err != nil {
			return err
		}
	}
	var servers []string
	for _, s := range cfg.DNS {
		servers = append(servers, s.String())
	}
	net.SetDefaultNS(servers)

	var errs []error
	for i, dev := range m.NICs {
		// The interface's index is known later than the device can announce something.
		var index atomic.Int32
		e, err := link.New(dev, link.Options{
			NoGRO:      cfg.NoGRO,
			OnAnnounce: func() { st.Announce(int(index.Load())) },
		})
		if err != nil {
			errs = append(errs, fmt.Errorf("eth%d: %w", i, err))
			continue
		}
		iface := netdev.InterfaceConfig{Name: fmt.Sprintf("eth%d", i), Link: e}
		if i == 0 && cfg.Addr.IsValid() {
			iface.Addresses = []netip.Prefix{cfg.Addr}
		}
		n, err := st.AddInterface(iface)
		index.Store(int32(n))
		if err == nil && i == 0 {
			err = addDefaultRoute(st, iface.Name, cfg)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("eth%d: %w", i, err))
		}
	}
	return errors.Join(errs...)
}

func addDefaultRoute(st *netdev.Stack, name string, cfg boot.Config) error {
	if !cfg.Gateway.IsValid() {
		return nil
	}
	all := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	if cfg.Gateway.Is6() {
		all = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return st.AddRoute(netdev.Route{Dst: all, Gateway: cfg.Gateway, Interface: name})
}
