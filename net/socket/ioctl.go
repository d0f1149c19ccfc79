package socket

import (
	"math"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/tamanet/tamanet/net/errno"
)

// Ioctl does cmd on the descriptor's socket (Linux sock_ioctl), in Linux's
// order: a device's private commands; the owner; bridges and VLANs; the
// socket's network; time stamps; the family's and the protocol's; the
// devices'. arg is a pointer of the type that cmd takes:
//
//	FIONBIO, FIONREAD, SIOCINQ, SIOCOUTQ, SIOCOUTQNSD, SIOCATMARK   *int
//	FIOSETOWN, SIOCSPGRP                               *int or *Owner
//	FIOGETOWN, SIOCGPGRP                               *int
//	SIOCGSTAMP, SIOCGSTAMPNS                           *time.Time
//	SIOCGIFCONF                                        *Ifconf
//	SIOCGIF*, SIOCSIF*, SIOCETHTOOL, SIOCDEVPRIVATE+n  *Ifreq
//	SIOCADDRT, SIOCDELRT                               *Rtentry
//	SIOCGARP, SIOCSARP, SIOCDARP                       *Arpreq
//
// The errors:
//
//	EBADF     no such descriptor
//	EINVAL    an epoll set, and the command is not FIONBIO
//	(any)     a security hook refused
//	EFAULT    arg is of another type
//	EPERM     the task lacks CAP_NET_ADMIN
//	ENOPKG    bridges, VLANs and DLCIs, which the loader did not bring
//	ENODEV    no interface of that name or index
//	ENOENT    SIOCGSTAMP before a message came
//	ESRCH     an owner that does not exist
//	ENOTTY    a command that nothing here knows
func (t *Task) Ioctl(fd int, cmd uint, arg any) error {
	slot, f, err := t.sockfdLookup(fd)
	switch {
	case err == errno.ENOTSOCK && cmd == FIONBIO:
		return t.fionbio(fd, arg)
	case err == errno.ENOTSOCK:
		return errno.EINVAL // ep_eventpoll_ioctl
	case err != nil:
		return err
	}
	defer leave(slot, f)
	s := f.socket
	if err := hooked(func(h Security) error { return h.SocketIoctl(s, cmd, arg) }); err != nil {
		return err
	}
	if cmd == FIONBIO {
		return t.fionbio(fd, arg)
	}
	return s.ioctl(t, cmd, arg)
}

// fionbio is Linux's ioctl_fionbio.
func (t *Task) fionbio(fd int, arg any) error {
	on, ok := arg.(*int)
	if !ok {
		return errno.EFAULT
	}
	return t.SetNonblock(fd, *on != 0)
}

// Ioctl is [Task.Ioctl] without a descriptor, but for FIONBIO. The privileges
// are those of the task that made the socket.
func (s *Socket) Ioctl(cmd uint, arg any) error {
	if err := hooked(func(h Security) error { return h.SocketIoctl(s, cmd, arg) }); err != nil {
		return err
	}
	return s.ioctl(s.Task, cmd, arg)
}

func (s *Socket) ioctl(t *Task, cmd uint, arg any) error {
	if cmd >= SIOCDEVPRIVATE && cmd <= devPrivateMax {
		return s.Sk.devPrivate(cmd, arg)
	}
	switch cmd {
	case FIOSETOWN, SIOCSPGRP:
		return s.Sk.setOwn(t, arg)
	case FIOGETOWN, SIOCGPGRP:
		pid, ok := arg.(*int)
		if !ok {
			return errno.EFAULT
		}
		*pid = s.Sk.opts.owner.pid()
		return nil
	case SIOCGIFBR, SIOCSIFBR, SIOCBRADDBR, SIOCBRDELBR:
		return bridgeHook.call("bridge", s, cmd, arg)
	case SIOCGIFVLAN, SIOCSIFVLAN:
		return vlanHook.call("8021q", s, cmd, arg)
	case SIOCADDDLCI, SIOCDELDLCI:
		return dlciHook.call("dlci", s, cmd, arg)
	case SIOCGSKNS:
		return s.Sk.getNetwork(t, arg)
	case SIOCGSTAMP, SIOCGSTAMPNS, SIOCGSTAMP_NEW, SIOCGSTAMPNS_NEW:
		return s.getTStamp(arg)
	case SIOCGIFCONF:
		return s.Sk.ifConf(arg)
	}
	if err := s.Ops.Ioctl(s, cmd, arg); err != errno.ENOTTY {
		return err
	}
	if cmd < firstSocketIoctl || cmd > lastSocketIoctl {
		return errno.ENOTTY
	}
	return s.Sk.devIoctl(t, cmd, arg)
}

// A TStamper is a family's ops that tell when the last message came in
// (gettstamp). Others answer by [Sock.Stamp] too.
type TStamper interface {
	GetTStamp(s *Socket) (time.Time, error)
}

func (s *Socket) getTStamp(arg any) error {
	at, ok := arg.(*time.Time)
	if !ok {
		return errno.EFAULT
	}
	g, ok := s.Ops.(TStamper)
	if !ok {
		return errno.ENOTTY
	}
	v, err := g.GetTStamp(s)
	if err == nil {
		*at = v
	}
	return err
}

// getNetwork is SIOCGSKNS: arg, a *any, gets the socket's *netdev.Stack.
func (sk *Sock) getNetwork(t *Task, arg any) error {
	if !t.Capable(CAP_NET_ADMIN) {
		return errno.EPERM
	}
	p, ok := arg.(*any)
	if !ok {
		return errno.EFAULT
	}
	*p = sk.Net
	return nil
}

// An IoctlHook does the commands of a subsystem that is not part of this
// layer, as Linux's br_ioctl_hook does.
type IoctlHook func(s *Socket, cmd uint, arg any) error

type ioctlHook struct {
	mu sync.Mutex
	f  IoctlHook
}

var bridgeHook, vlanHook, dlciHook ioctlHook

// SetBridgeIoctl sets who does the commands of bridges (brioctl_set); nil
// takes it away. SetVlanIoctl and SetDlciIoctl are for VLANs and for frame
// relay.
func SetBridgeIoctl(f IoctlHook) { bridgeHook.set(f) }

// SetVlanIoctl is described with SetBridgeIoctl (vlan_ioctl_set).
func SetVlanIoctl(f IoctlHook) { vlanHook.set(f) }

// SetDlciIoctl is described with SetBridgeIoctl (dlci_ioctl_set).
func SetDlciIoctl(f IoctlHook) { dlciHook.set(f) }

func (h *ioctlHook) set(f IoctlHook) {
	h.mu.Lock()
	h.f = f
	h.mu.Unlock()
}

func (h *ioctlHook) get() IoctlHook {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.f
}

// call asks the loader for an absent hook once and then gives ENOPKG.
func (h *ioctlHook) call(module string, s *Socket, cmd uint, arg any) error {
	f := h.get()
	if f == nil && RequestModule(module) {
		f = h.get()
	}
	if f == nil {
		return errno.ENOPKG
	}
	return f(s, cmd, arg)
}

// owner is Linux's struct fown_struct.
type owner struct {
	mu    sync.Mutex
	who   Owner
	entry *waiter.Entry
}

func (o *owner) pid() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.who.Pid
}

// setOwn is Linux's f_setown.
func (sk *Sock) setOwn(t *Task, arg any) error {
	switch v := arg.(type) {
	case *int:
		if *v == math.MinInt32 {
			return errno.EINVAL
		}
		if *v != 0 && *v != int(t.Cred.Pid) && *v != -int(t.Cred.Pid) {
			return errno.ESRCH
		}
		sk.SetOwner(Owner{Pid: *v})
		return nil
	case *Owner:
		sk.SetOwner(*v)
		return nil
	}
	return errno.EFAULT
}

// SetOwner sets who is told of the Sock's readiness. The zero Owner is nobody.
func (sk *Sock) SetOwner(who Owner) {
	o := &sk.opts.owner
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.entry != nil {
		sk.WQ.EventUnregister(o.entry)
		o.entry = nil
	}
	o.who = who
	if who.Notify != nil {
		e := waiter.NewFunctionEntry(waiter.AllEvents, who.Notify)
		o.entry = &e
		sk.WQ.EventRegister(o.entry)
	}
}
