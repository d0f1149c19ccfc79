package inet

import (
	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/socket"
)

func ipRefused(name int, label, why string) socket.Option {
	return socket.Option{Level: socket.SOL_IP, Name: name, Label: label, State: socket.OptionRefused, Why: why}
}

func ipStored(o socket.Option, why string) socket.Option {
	o.State, o.Why = socket.OptionStored, why
	return o
}

// ipWorks makes an option that works for some sockets; why says for which.
func ipWorks(o socket.Option, why string) socket.Option {
	o.State, o.Why = socket.OptionWorks, why
	return o
}

func ipFlag(name int, label string, f Flag) socket.Option {
	return ipOption(name, label,
		func(is *Sock, v int) error { is.setTelling(f, v != 0); return nil },
		func(is *Sock) int { return socket.BoolInt(is.Has(f)) })
}

// inverse makes an option of a flag that says it is off.
func inverse(o socket.Option) socket.Option {
	set, get := o.Set, o.Get
	o.Set = func(sk *socket.Sock, val []byte) error {
		read := smallInt
		if o.Level == socket.SOL_IPV6 {
			read = socket.OptInt
		}
		v, err := read(val)
		if err != nil {
			return err
		}
		var b [socket.SizeofInt]byte
		socket.PutInt(b[:], socket.BoolInt(v == 0))
		return set(sk, b[:])
	}
	o.Get = func(sk *socket.Sock, val []byte) (int, error) {
		var b [socket.SizeofInt]byte
		if _, err := get(sk, b[:]); err != nil {
			return 0, err
		}
		v, err := socket.OptInt(b[:])
		if err != nil {
			return 0, err
		}
		if o.Level == socket.SOL_IPV6 {
			return socket.PutInt(val, socket.BoolInt(v == 0))
		}
		return putSmall(val, socket.BoolInt(v == 0))
	}
	return o
}

// smallInt reads an option as do_ip_setsockopt does: an int, or a byte.
func smallInt(val []byte) (int, error) {
	switch {
	case len(val) >= socket.SizeofInt:
		return socket.OptInt(val)
	case len(val) > 0:
		return int(val[0]), nil
	}
	return 0, nil
}

// putSmall writes an option as do_ip_getsockopt does: a small one as a byte
// where there is no room for an int.
func putSmall(val []byte, v int) (int, error) {
	if len(val) > 0 && len(val) < socket.SizeofInt && v >= 0 && v <= 255 {
		val[0] = byte(v)
		return 1, nil
	}
	return socket.PutInt(val, v)
}

// guarded is an option that is set only with what check finds right.
func guarded(o socket.Option, check func(sk *socket.Sock, val []byte) error) socket.Option {
	set := o.Set
	o.Set = func(sk *socket.Sock, val []byte) error {
		if err := check(sk, val); err != nil {
			return err
		}
		return set(sk, val)
	}
	return o
}

// nonEmpty refuses an option without a value.
func nonEmpty(o socket.Option) socket.Option {
	return guarded(o, func(_ *socket.Sock, val []byte) error {
		if len(val) == 0 {
			return errno.EINVAL
		}
		return nil
	})
}

// rawOnly is an option that is set on raw sockets alone.
func rawOnly(o socket.Option) socket.Option {
	return guarded(o, func(sk *socket.Sock, _ []byte) error {
		if sk.Type != socket.SOCK_RAW {
			return errno.ENOPROTOOPT
		}
		return nil
	})
}

// privileged is an option that CAP_NET_RAW or CAP_NET_ADMIN turns on.
func privileged(o socket.Option) socket.Option {
	return guarded(o, func(sk *socket.Sock, val []byte) error {
		if v, err := smallInt(val); err == nil && v != 0 && !sk.Capable(socket.CAP_NET_RAW|socket.CAP_NET_ADMIN) {
			return errno.EPERM
		}
		return nil
	})
}
