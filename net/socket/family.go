package socket

import (
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/tamanet/tamanet/net/errno"
)

// A Family makes the sockets of one address family: Linux's struct
// net_proto_family. It is registered by pointer and not changed after.
type Family struct {
	// Number is the family's AF_*.
	Number int
	// Name is for people, such as "AF_INET".
	Name string
	// Create gives s, which has State SS_UNCONNECTED and its Type, its Ops
	// and Sk. protocol is the caller's, 0 for the default. kern tells
	// kernel-internal sockets, which need no privileges. An error leaves
	// nothing behind.
	Create func(s *Socket, protocol int, kern bool) error
	// Protos returns the protocols that Create may choose from, for
	// [Protocols]; nil is none.
	Protos func() []Proto
}

// netFamilies is Linux's net_families.
var netFamilies [NPROTO]familySlot

type familySlot struct {
	family atomic.Pointer[Family]
	refs   atomic.Int32 // sockets of the family; dead once unregistering
}

// dead marks a slot that nobody may take a reference on.
const dead = -1 << 30

// Register adds a family (Linux sock_register). The errors are ENOBUFS for a
// number outside the table and EEXIST for a number that is taken.
func Register(f *Family) error {
	if f.Number < 0 || f.Number >= NPROTO {
		return fmt.Errorf("socket: register family %d (%s): %w", f.Number, f.Name, errno.ENOBUFS)
	}
	if !netFamilies[f.Number].family.CompareAndSwap(nil, f) {
		return fmt.Errorf("socket: register family %d (%s): %w", f.Number, f.Name, errno.EEXIST)
	}
	return nil
}

// Unregister removes a family. It fails with EBUSY while sockets of it are
// open and with EAFNOSUPPORT when there is none. Linux's sock_unregister
// cannot fail, but its caller, a module, cannot go while sockets hold it.
func Unregister(number int) error {
	if number < 0 || number >= NPROTO {
		return fmt.Errorf("socket: unregister family %d: %w", number, errno.EAFNOSUPPORT)
	}
	slot := &netFamilies[number]
	f := slot.family.Load()
	if f == nil {
		return fmt.Errorf("socket: unregister family %d: %w", number, errno.EAFNOSUPPORT)
	}
	if !slot.refs.CompareAndSwap(0, dead) {
		return fmt.Errorf("socket: unregister %s with %d sockets open: %w", f.Name, slot.refs.Load(), errno.EBUSY)
	}
	slot.family.Store(nil)
	slot.refs.Store(0)
	return nil
}

// Families lists the registered families.
func Families() []*Family {
	var list []*Family
	for i := range netFamilies {
		if f := netFamilies[i].family.Load(); f != nil {
			list = append(list, f)
		}
	}
	return list
}

// getFamily takes a reference on a family, or returns nil when it is absent
// (try_module_get).
func getFamily(number int) *Family {
	slot := &netFamilies[number]
	for {
		n := slot.refs.Load()
		if n < 0 {
			return nil
		}
		if slot.refs.CompareAndSwap(n, n+1) {
			break
		}
	}
	if f := slot.family.Load(); f != nil {
		return f
	}
	slot.refs.Add(-1)
	return nil
}

// putFamily gives back what getFamily took (module_put).
func putFamily(number int) { netFamilies[number].refs.Add(-1) }

var loader atomic.Pointer[func(name string)]

// SetLoader installs what is asked for a family or protocol that is not
// there, by Linux's module alias: "net-pf-10", "net-pf-2-proto-132-type-1".
// It registers what it can before it returns. Nil removes it. It may be
// called from several goroutines at once, with no lock held.
func SetLoader(load func(name string)) {
	if load == nil {
		loader.Store(nil)
		return
	}
	loader.Store(&load)
}

// RequestModule asks the loader for name and reports whether there is a
// loader (Linux request_module).
func RequestModule(name string) bool {
	load := loader.Load()
	if load == nil {
		return false
	}
	(*load)(name)
	return true
}

func itoa(n int) string { return strconv.Itoa(n) }
