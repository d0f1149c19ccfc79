package socket

import "github.com/tamanet/tamanet/net/errno"

// peeks reports whether the family has set_peek_off among its operations.
func (sk *Sock) peeks() bool {
	switch sk.Family {
	case AF_INET, AF_INET6, AF_UNIX:
		return sk.Type != SOCK_RAW
	}
	return false
}

func setPeekOff(sk *Sock, val []byte) error {
	v, err := OptInt(val)
	switch {
	case err != nil:
		return err
	case !sk.peeks():
		return errno.EOPNOTSUPP
	}
	sk.opts.peekOff.Store(int32(v) + 1)
	return nil
}

// PeekOff is SO_PEEK_OFF: where in what waits MSG_PEEK reads, in bytes, or -1
// for the front (sk_peek_offset).
func (sk *Sock) PeekOff() int { return int(sk.opts.peekOff.Load()) - 1 }

// MovePeekOff moves the offset, if there is one, by n bytes: forward what was
// peeked at, back what was received (sk_peek_offset_fwd, sk_peek_offset_bwd).
func (sk *Sock) MovePeekOff(n int) {
	for {
		old := sk.opts.peekOff.Load()
		if old <= 0 || sk.opts.peekOff.CompareAndSwap(old, int32(max(int(old)+n, 1))) {
			return
		}
	}
}

func getPeekOff(sk *Sock, val []byte) (int, error) {
	if !sk.peeks() {
		return 0, errno.EOPNOTSUPP
	}
	return PutInt(val, int(sk.opts.peekOff.Load())-1)
}
