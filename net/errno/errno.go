// Package errno is Linux's error numbers as Go errors.
//
// Every error that tamanet's socket layer returns is an [Errno], with Linux's
// number and meaning, so that a program finds by [errors.Is] what it would
// find on Linux. The errors of the gVisor network stack are translated in one
// place, [FromTCPIP].
//
// An Errno is a plain value: converting one to error does not allocate.
package errno

import (
	"errors"
	"io/fs"
	"strconv"
)

// An Errno is a Linux error number. Zero is not an error; functions return a
// nil error instead.
type Errno uint8

// Error returns Linux's text for the number.
func (e Errno) Error() string {
	if int(e) < len(texts) && texts[e] != "" {
		return texts[e]
	}
	return "errno " + strconv.Itoa(int(e))
}

// Name returns the symbol, such as "ECONNREFUSED", or "errno 200" for a
// number that has none.
func (e Errno) Name() string {
	if int(e) < len(names) && names[e] != "" {
		return names[e]
	}
	return "errno " + strconv.Itoa(int(e))
}

// Is reports whether e is one of the kinds of error that package fs and
// errors define, as syscall.Errno does, or the same error under package
// syscall's name and number for it.
func (e Errno) Is(target error) bool {
	switch target {
	case fs.ErrPermission:
		return e == EACCES || e == EPERM
	case fs.ErrExist:
		return e == EEXIST || e == ENOTEMPTY
	case fs.ErrNotExist:
		return e == ENOENT
	case errors.ErrUnsupported:
		return e == ENOSYS || e == EOPNOTSUPP
	}
	return isSyscall(e, target)
}

// Timeout reports whether the error is one of time, as net.Error asks.
func (e Errno) Timeout() bool {
	return e == EAGAIN || e == ETIMEDOUT
}

// Temporary reports whether the same call may succeed later, as net.Error
// asks.
func (e Errno) Temporary() bool {
	return e == EINTR || e == EMFILE || e == ENFILE || e.Timeout()
}
