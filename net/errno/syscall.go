package errno

import "syscall"

// isSyscall reports whether target is package syscall's value for e. The two
// are matched by name: syscall's numbers are another port's on GOOS=tamago.
func isSyscall(e Errno, target error) bool {
	t, ok := target.(syscall.Errno)
	if !ok {
		return false
	}
	for _, p := range syscallPairs {
		if p.e == e {
			return p.s == t
		}
	}
	return false
}

// syscallPairs holds the errors that socket calls return and that programs
// compare with package syscall's names.
var syscallPairs = [...]struct {
	e Errno
	s syscall.Errno
}{
	{EPERM, syscall.EPERM},
	{ENOENT, syscall.ENOENT},
	{EINTR, syscall.EINTR},
	{EIO, syscall.EIO},
	{EBADF, syscall.EBADF},
	{EAGAIN, syscall.EAGAIN},
	{ENOMEM, syscall.ENOMEM},
	{EACCES, syscall.EACCES},
	{EFAULT, syscall.EFAULT},
	{EBUSY, syscall.EBUSY},
	{EEXIST, syscall.EEXIST},
	{ENODEV, syscall.ENODEV},
	{EINVAL, syscall.EINVAL},
	{ENFILE, syscall.ENFILE},
	{EMFILE, syscall.EMFILE},
	{EPIPE, syscall.EPIPE},
	{ENOSYS, syscall.ENOSYS},
	{ENOTSOCK, syscall.ENOTSOCK},
	{EDESTADDRREQ, syscall.EDESTADDRREQ},
	{EMSGSIZE, syscall.EMSGSIZE},
	{EPROTOTYPE, syscall.EPROTOTYPE},
	{ENOPROTOOPT, syscall.ENOPROTOOPT},
	{EPROTONOSUPPORT, syscall.EPROTONOSUPPORT},
	{EOPNOTSUPP, syscall.EOPNOTSUPP},
	{EAFNOSUPPORT, syscall.EAFNOSUPPORT},
	{EADDRINUSE, syscall.EADDRINUSE},
	{EADDRNOTAVAIL, syscall.EADDRNOTAVAIL},
	{ENETDOWN, syscall.ENETDOWN},
	{ENETUNREACH, syscall.ENETUNREACH},
	{ECONNABORTED, syscall.ECONNABORTED},
	{ECONNRESET, syscall.ECONNRESET},
	{ENOBUFS, syscall.ENOBUFS},
	{EISCONN, syscall.EISCONN},
	{ENOTCONN, syscall.ENOTCONN},
	{ETIMEDOUT, syscall.ETIMEDOUT},
	{ECONNREFUSED, syscall.ECONNREFUSED},
	{EHOSTUNREACH, syscall.EHOSTUNREACH},
	{EALREADY, syscall.EALREADY},
	{EINPROGRESS, syscall.EINPROGRESS},
}
