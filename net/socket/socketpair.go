package socket

import "github.com/tamanet/tamanet/net/errno"

// SocketPair makes two sockets that are connected with each other and returns
// their descriptors (Linux sys_socketpair). typ may carry SOCK_NONBLOCK and
// SOCK_CLOEXEC. The errors are those of [Task.Socket], and EOPNOTSUPP from
// families that cannot, as the inet ones.
func (t *Task) SocketPair(family, typ, protocol int) (fds [2]int, err error) {
	flags := typ &^ SOCK_TYPE_MASK
	if flags&^(SOCK_CLOEXEC|SOCK_NONBLOCK) != 0 {
		return [2]int{-1, -1}, errno.EINVAL
	}
	var pair [2]*Socket
	defer func() {
		if err == nil {
			return
		}
		for _, s := range pair {
			if s != nil {
				s.Release()
			}
		}
		fds = [2]int{-1, -1}
	}()
	for i := range pair {
		if pair[i], err = t.Create(family, typ&SOCK_TYPE_MASK, protocol, false); err != nil {
			return fds, err
		}
	}
	if err = pair[0].Ops.SocketPair(pair[0], pair[1]); err != nil {
		return fds, err
	}
	if fds[0], err = t.sockMapFD(pair[0], flags); err != nil {
		return fds, err
	}
	if fds[1], err = t.sockMapFD(pair[1], flags); err != nil {
		t.Close(fds[0])
		pair[0] = nil
	}
	return fds, err
}
