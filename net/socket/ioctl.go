package socket

import "github.com/tamanet/tamanet/net/errno"

// Ioctl does cmd on the descriptor's socket (Linux sock_ioctl). arg is a
// pointer of the type that cmd takes: *int for FIONREAD and SIOCOUTQ, which
// set it, and for FIONBIO. The errors are EBADF, EFAULT for an arg of another
// type, and ENOTTY for a command that neither the socket, the protocol nor
// the devices know.
func (t *Task) Ioctl(fd int, cmd uint, arg any) error {
	slot, f, err := t.sockfdLookup(fd)
	if err != nil {
		return err
	}
	defer leave(slot, f)
	s := f.socket
	if err := hooked(func(h Security) error { return h.SocketIoctl(s, cmd, arg) }); err != nil {
		return err
	}
	if cmd == FIONBIO {
		on, ok := arg.(*int)
		if !ok {
			return errno.EFAULT
		}
		return t.SetNonblock(fd, *on != 0)
	}
	return s.Ops.Ioctl(s, cmd, arg)
}
