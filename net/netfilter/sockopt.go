// Package netfilter is what stands between packets, sockets and their
// programs: Linux's net/netfilter, as far as a single program needs it.
//
// Handlers of socket options register by range ([Register], Linux's
// nf_register_sockopt), for options that the families do not know. A packet
// filter stands at gVisor's input hook ([SetInput]); redirection uses its
// tables and its connection tracking ([Redirect]). A
// ready [Policy] denies by default and allows by direction, family, port and
// peer, with a count for each rule; it is a chain of security hooks and a
// packet filter together.
package netfilter

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/socket"
)

// SockOpts handles options of a family by their numbers: Linux's struct
// nf_sockopt_ops. Ranges hold Min and leave out Max, as there.
type SockOpts struct {
	Family         int // AF_INET or AF_INET6
	SetMin, SetMax int
	GetMin, GetMax int

	Set func(sk *socket.Sock, name int, val []byte) error
	Get func(sk *socket.Sock, name int, val []byte) (int, error)
}

var (
	handlersMu sync.Mutex
	handlers   atomic.Pointer[[]*SockOpts]
)

func overlap(min1, max1, min2, max2 int) bool { return max1 > min2 && min1 < max2 }

// Register adds a handler. A range that overlaps another's of the family is
// EBUSY (nf_register_sockopt).
func Register(o *SockOpts) error {
	handlersMu.Lock()
	defer handlersMu.Unlock()
	list := registered()
	for _, h := range list {
		if h.Family == o.Family && (overlap(h.SetMin, h.SetMax, o.SetMin, o.SetMax) ||
			overlap(h.GetMin, h.GetMax, o.GetMin, o.GetMax)) {
			return fmt.Errorf("netfilter: options %d to %d of family %d: %w", o.SetMin, o.SetMax, o.Family, errno.EBUSY)
		}
	}
	fresh := append(slices.Clone(list), o)
	handlers.Store(&fresh)
	return nil
}

// Unregister removes a handler. Calls under way may still ask it
// (nf_unregister_sockopt).
func Unregister(o *SockOpts) {
	handlersMu.Lock()
	defer handlersMu.Unlock()
	fresh := slices.DeleteFunc(slices.Clone(registered()), func(h *SockOpts) bool { return h == o })
	handlers.Store(&fresh)
}

func registered() []*SockOpts {
	if p := handlers.Load(); p != nil {
		return *p
	}
	return nil
}

// SetSockOpt asks the handler of an option, or returns ENOPROTOOPT
// (nf_setsockopt).
func SetSockOpt(sk *socket.Sock, family, name int, val []byte) error {
	for _, h := range registered() {
		if h.Family == family && name >= h.SetMin && name < h.SetMax {
			return h.Set(sk, name, val)
		}
	}
	return errno.ENOPROTOOPT
}

// GetSockOpt asks the handler of an option, or returns ENOPROTOOPT
// (nf_getsockopt).
func GetSockOpt(sk *socket.Sock, family, name int, val []byte) (int, error) {
	for _, h := range registered() {
		if h.Family == family && name >= h.GetMin && name < h.GetMax {
			return h.Get(sk, name, val)
		}
	}
	return 0, errno.ENOPROTOOPT
}
