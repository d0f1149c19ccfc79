package socket

import (
	"encoding/binary"

	"golang.org/x/net/bpf"

	"github.com/tamanet/tamanet/net/errno"
)

// Options of SOL_SOCKET for filters (include/uapi/asm-generic/socket.h).
const (
	SO_ATTACH_FILTER = 26
	SO_GET_FILTER    = SO_ATTACH_FILTER
	SO_DETACH_FILTER = 27
	SO_LOCK_FILTER   = 44
)

// BPF_MAXINSNS is how many instructions a filter may have.
const BPF_MAXINSNS = 4096

// SizeofSockFilter is the length of C's struct sock_filter in bytes.
const SizeofSockFilter = 8

// A Filter is a classic BPF program that decides what a Sock receives:
// Linux's struct sk_filter.
type Filter struct {
	vm   *bpf.VM
	prog []bpf.RawInstruction
}

// A Filterer is a Proto that asks [Sock.Passes] of what it receives. On others
// SO_ATTACH_FILTER is EOPNOTSUPP, as a filter would have no effect.
type Filterer interface{ Filters(sk *Sock) bool }

// AppendSockFilter appends the C structures of prog to b: the value that
// SO_ATTACH_FILTER takes. Linux's struct sock_fprog, which points to them from
// another address space, has no place here.
func AppendSockFilter(b []byte, prog ...bpf.RawInstruction) []byte {
	for _, i := range prog {
		b = binary.NativeEndian.AppendUint16(b, i.Op)
		b = append(b, i.Jt, i.Jf)
		b = binary.NativeEndian.AppendUint32(b, i.K)
	}
	return b
}

// ParseFilter reads and checks a program, as Linux's bpf_check_classic does.
// The error is EINVAL for no or more than BPF_MAXINSNS instructions, an
// unknown one, a jump past the end, a constant that no run could use, scratch
// memory read before it is written, and a last instruction that does not
// return. Loads at negative offsets, by which Linux tells what it knows beside
// the packet (SKF_AD_OFF, SKF_NET_OFF, SKF_LL_OFF), and BPF_LDX of the length
// are EINVAL: the VM has none.
func ParseFilter(b []byte) (*Filter, error) {
	n := len(b) / SizeofSockFilter
	if n == 0 || n > BPF_MAXINSNS || len(b)%SizeofSockFilter != 0 {
		return nil, errno.EINVAL
	}
	f := &Filter{prog: make([]bpf.RawInstruction, n)}
	for i := range f.prog {
		raw := b[i*SizeofSockFilter:]
		f.prog[i] = bpf.RawInstruction{
			Op: binary.NativeEndian.Uint16(raw), Jt: raw[2], Jf: raw[3],
			K: binary.NativeEndian.Uint32(raw[4:]),
		}
	}
	if !checkClassic(f.prog) {
		return nil, errno.EINVAL
	}
	code := make([]bpf.Instruction, n)
	for i, raw := range f.prog {
		code[i] = translate(raw)
		if _, unknown := code[i].(bpf.RawInstruction); unknown {
			return nil, errno.EINVAL
		}
	}
	vm, err := bpf.NewVM(code)
	if err != nil {
		return nil, errno.EINVAL
	}
	f.vm = vm
	return f, nil
}

// Run runs the program over a packet. It returns what of the packet passes,
// and whether it passes at all: an empty packet may. It does not allocate.
func (f *Filter) Run(packet []byte) (cut []byte, ok bool) {
	// The VM computes the place of an indirect load as an int, which can
	// overflow where an int has 32 bits; Linux drops the packet then.
	defer func() {
		if recover() != nil {
			cut, ok = nil, false
		}
	}()
	n, err := f.vm.Run(packet)
	if err != nil || uint32(n) == 0 {
		return nil, false
	}
	return packet[:min(uint32(n), uint32(len(packet)))], true
}

// Passes runs the Sock's filter, if it has one, over a packet that came in;
// see [Filter.Run]. (sk_filter)
func (sk *Sock) Passes(packet []byte) (cut []byte, ok bool) {
	f := sk.filter.Load()
	if f == nil {
		return packet, true
	}
	return f.Run(packet)
}

// HasFilter reports whether a filter is attached: without one [Sock.Passes]
// lets everything pass, and the packet need not be put together.
func (sk *Sock) HasFilter() bool { return sk.filter.Load() != nil }

// filterOptions are SO_ATTACH_FILTER, SO_DETACH_FILTER and SO_LOCK_FILTER.
func filterOptions() []Option {
	lockSet, lockGet := IntOption(lockFilter, func(sk *Sock) int { return BoolInt(sk.Flag(FlagFilterLocked)) })
	detach, _ := IntOption(detachFilter, nil)
	return []Option{
		{Level: SOL_SOCKET, Name: SO_ATTACH_FILTER, Label: "SO_ATTACH_FILTER", Set: attachFilter, Get: getFilter},
		{Level: SOL_SOCKET, Name: SO_DETACH_FILTER, Label: "SO_DETACH_FILTER", Set: detach},
		{Level: SOL_SOCKET, Name: SO_LOCK_FILTER, Label: "SO_LOCK_FILTER", Set: lockSet, Get: lockGet},
	}
}

// attachFilter is Linux's sk_attach_filter. EPERM once locked, EINVAL for a
// program that [ParseFilter] refuses.
func attachFilter(sk *Sock, val []byte) error {
	if p, ok := sk.Prot.(Filterer); !ok || !p.Filters(sk) {
		return errno.EOPNOTSUPP
	}
	if sk.Flag(FlagFilterLocked) {
		return errno.EPERM
	}
	f, err := ParseFilter(val)
	if err != nil {
		return err
	}
	sk.filter.Store(f)
	return nil
}

// detachFilter is Linux's sk_detach_filter. EPERM once locked, ENOENT without
// a filter.
func detachFilter(sk *Sock, _ int) error {
	if sk.Flag(FlagFilterLocked) {
		return errno.EPERM
	}
	if sk.filter.Swap(nil) == nil {
		return errno.ENOENT
	}
	return nil
}

// lockFilter sets SO_LOCK_FILTER, which cannot be taken back.
func lockFilter(sk *Sock, v int) error {
	if v == 0 && sk.Flag(FlagFilterLocked) {
		return errno.EPERM
	}
	sk.SetFlag(FlagFilterLocked, v != 0)
	return nil
}

// getFilter reads the program back: its number of instructions, and the
// instructions if val has room for them; less room, but some, is EINVAL.
// (sk_get_filter)
func getFilter(sk *Sock, val []byte) (int, error) {
	f := sk.filter.Load()
	if f == nil {
		return 0, nil
	}
	if len(val) > 0 {
		if len(val) < len(f.prog)*SizeofSockFilter {
			return 0, errno.EINVAL
		}
		copy(val, AppendSockFilter(nil, f.prog...))
	}
	return len(f.prog), nil
}
