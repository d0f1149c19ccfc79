package socket

import "github.com/tamanet/tamanet/net/errno"

// SetSockOpt sets an option from its C value (Linux sys_setsockopt). Level
// SOL_SOCKET is done here for every family; others are the family's and the
// protocol's. The errors:
//
//	EBADF          no such descriptor
//	(any)          a security hook refused
//	EINVAL         val is too short, or its value is not allowed
//	ENOPROTOOPT    no such option, or it cannot be set
//	EDOM           a time with more than 999999 µs
//	EOPNOTSUPP     the family has no options of that level
func (t *Task) SetSockOpt(fd, level, name int, val []byte) error {
	slot, f, err := t.sockfdLookup(fd)
	if err != nil {
		return err
	}
	err = f.socket.SetSockOpt(level, name, val)
	leave(slot, f)
	return err
}

// GetSockOpt writes an option's C value to val, cut to its length, and
// returns the length written (Linux sys_getsockopt). The errors are as with
// [Task.SetSockOpt].
func (t *Task) GetSockOpt(fd, level, name int, val []byte) (int, error) {
	slot, f, err := t.sockfdLookup(fd)
	if err != nil {
		return 0, err
	}
	n, err := f.socket.GetSockOpt(level, name, val)
	leave(slot, f)
	return n, err
}

// SetSockOptInt is [Task.SetSockOpt] of an int.
func (t *Task) SetSockOptInt(fd, level, name, v int) error {
	var b [SizeofInt]byte
	PutInt(b[:], v)
	return t.SetSockOpt(fd, level, name, b[:])
}

// GetSockOptInt is [Task.GetSockOpt] of an int.
func (t *Task) GetSockOptInt(fd, level, name int) (int, error) {
	var b [SizeofInt]byte
	if _, err := t.GetSockOpt(fd, level, name, b[:]); err != nil {
		return 0, err
	}
	return OptInt(b[:])
}

// SetSockOpt is [Task.SetSockOpt] without a descriptor. (do_sock_setsockopt)
func (s *Socket) SetSockOpt(level, name int, val []byte) error {
	if err := hooked(func(h Security) error { return h.SocketSetSockOpt(s, level, name) }); err != nil {
		return err
	}
	if level == SOL_SOCKET {
		return s.sockSetSockOpt(name, val)
	}
	return s.Ops.SetSockOpt(s, level, name, val)
}

// GetSockOpt is [Task.GetSockOpt] without a descriptor. (do_sock_getsockopt)
func (s *Socket) GetSockOpt(level, name int, val []byte) (int, error) {
	if err := hooked(func(h Security) error { return h.SocketGetSockOpt(s, level, name) }); err != nil {
		return 0, err
	}
	if level == SOL_SOCKET {
		return solSocket.Get(s.Sk, name, val)
	}
	return s.Ops.GetSockOpt(s, level, name, val)
}

// SetSockOptInt is [Socket.SetSockOpt] of an int.
func (s *Socket) SetSockOptInt(level, name, v int) error {
	var b [SizeofInt]byte
	PutInt(b[:], v)
	return s.SetSockOpt(level, name, b[:])
}

// GetSockOptInt is [Socket.GetSockOpt] of an int.
func (s *Socket) GetSockOptInt(level, name int) (int, error) {
	var b [SizeofInt]byte
	if _, err := s.GetSockOpt(level, name, b[:]); err != nil {
		return 0, err
	}
	return OptInt(b[:])
}

// sockSetSockOpt is Linux's sock_setsockopt: nearly every option, known or
// not, needs at least an int.
func (s *Socket) sockSetSockOpt(name int, val []byte) error {
	o := solSocket.lookup(name)
	if len(val) < SizeofInt && (o == nil || !o.AnyLen) {
		return errno.EINVAL
	}
	if err := solSocket.Set(s.Sk, name, val); err != nil {
		return err
	}
	if o.Notify != 0 {
		name = o.Notify
	}
	if w, ok := s.Sk.Prot.(OptionWatcher); ok {
		w.OptionSet(s.Sk, name)
	}
	return nil
}

// SocketOptions is the table of level SOL_SOCKET.
func SocketOptions() *OptionTable { return solSocket }
