package socket

import (
	"encoding/binary"

	"github.com/tamanet/tamanet/net/errno"
)

// An Option is one line of an option table: what setting and reading an
// option of some level does. An option that no table has is ENOPROTOOPT;
// nothing unknown succeeds.
type Option struct {
	Level int
	Name  int
	Label string // such as "SO_REUSEADDR"
	State OptionState
	Why   string // the reason, where the state is not OptionWorks

	// AnyLen says that Set takes fewer bytes than an int has, too.
	AnyLen bool
	// Notify is the option's name for an OptionWatcher, if not its own.
	Notify int

	// Set takes the caller's bytes, which it does not keep. Nil is
	// ENOPROTOOPT.
	Set func(sk *Sock, val []byte) error
	// Get writes the value, cut to the length of val, and returns the length
	// written. Nil is ENOPROTOOPT.
	Get func(sk *Sock, val []byte) (int, error)
}

// OptionState says what an option is good for.
type OptionState uint8

// An option works, or is kept and read back without effect, or is one of
// Linux's that is ENOPROTOOPT here.
const (
	OptionWorks OptionState = iota
	OptionStored
	OptionRefused
)

// String names the state for a table.
func (s OptionState) String() string {
	switch s {
	case OptionStored:
		return "stored"
	case OptionRefused:
		return "ENOPROTOOPT"
	}
	return "works"
}

// An OptionTable holds the options of one level, by name.
type OptionTable struct {
	byName []*Option
}

// NewOptionTable makes a table. The options are keyed by name, two of one
// name are the programmer's mistake, and panic.
func NewOptionTable(options ...Option) *OptionTable {
	t := &OptionTable{}
	for i := range options {
		o := &options[i]
		for len(t.byName) <= o.Name {
			t.byName = append(t.byName, nil)
		}
		if t.byName[o.Name] != nil {
			panic("socket: options " + t.byName[o.Name].Label + " and " + o.Label + " have one name")
		}
		t.byName[o.Name] = o
	}
	return t
}

// Options lists the table in the order of the names.
func (t *OptionTable) Options() []*Option {
	var list []*Option
	for _, o := range t.byName {
		if o != nil {
			list = append(list, o)
		}
	}
	return list
}

func (t *OptionTable) lookup(name int) *Option {
	if name < 0 || name >= len(t.byName) {
		return nil
	}
	return t.byName[name]
}

// Set sets the option called name, or returns ENOPROTOOPT.
func (t *OptionTable) Set(sk *Sock, name int, val []byte) error {
	if o := t.lookup(name); o != nil && o.Set != nil {
		return o.Set(sk, val)
	}
	return errno.ENOPROTOOPT
}

// Get reads the option called name, or returns ENOPROTOOPT.
func (t *OptionTable) Get(sk *Sock, name int, val []byte) (int, error) {
	if o := t.lookup(name); o != nil && o.Get != nil {
		return o.Get(sk, val)
	}
	return 0, errno.ENOPROTOOPT
}

// SizeofInt is C's sizeof(int), the length of most options.
const SizeofInt = 4

// OptInt reads an option's int. Fewer bytes are EINVAL, more are ignored.
func OptInt(val []byte) (int, error) {
	if len(val) < SizeofInt {
		return 0, errno.EINVAL
	}
	return int(int32(binary.NativeEndian.Uint32(val))), nil
}

// PutInt writes v as C's int, cut to the length of val, as sk_getsockopt does.
func PutInt(val []byte, v int) (int, error) {
	var b [SizeofInt]byte
	binary.NativeEndian.PutUint32(b[:], uint32(v))
	return copy(val, b[:]), nil
}

// IntOption returns the Set and Get of an option that is an int.
func IntOption(set func(sk *Sock, v int) error, get func(sk *Sock) int) (func(*Sock, []byte) error, func(*Sock, []byte) (int, error)) {
	var s func(*Sock, []byte) error
	if set != nil {
		s = func(sk *Sock, val []byte) error {
			v, err := OptInt(val)
			if err != nil {
				return err
			}
			return set(sk, v)
		}
	}
	return s, func(sk *Sock, val []byte) (int, error) { return PutInt(val, get(sk)) }
}

// BoolInt returns C's value of b.
func BoolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
