package errno

import "gvisor.dev/gvisor/pkg/tcpip"

// FromTCPIP translates an error of the gVisor network stack. It returns nil
// for nil. Two errors depend on the call that got them and are the caller's
// to tell apart first: ErrClosedForReceive is the end of a stream to a
// reader, and ErrConnectStarted is a connect's progress.
//
// This is the only translation; a test holds it complete against gVisor's
// source.
func FromTCPIP(err tcpip.Error) error {
	if err == nil {
		return nil
	}
	return fromTCPIP(err)
}

func fromTCPIP(err tcpip.Error) Errno {
	switch err.(type) {
	case *tcpip.ErrWouldBlock:
		return EAGAIN
	case *tcpip.ErrAborted:
		return EPIPE
	case *tcpip.ErrAddressFamilyNotSupported:
		return EAFNOSUPPORT
	case *tcpip.ErrAlreadyBound:
		return EINVAL
	case *tcpip.ErrAlreadyConnected:
		return EISCONN
	case *tcpip.ErrAlreadyConnecting:
		return EALREADY
	case *tcpip.ErrBadAddress:
		return EFAULT
	case *tcpip.ErrBadBuffer:
		return EFAULT
	case *tcpip.ErrBadLocalAddress:
		return EADDRNOTAVAIL
	case *tcpip.ErrBroadcastDisabled:
		return EACCES
	case *tcpip.ErrClosedForReceive:
		return ENOTCONN
	case *tcpip.ErrClosedForSend:
		return EPIPE
	case *tcpip.ErrConnectStarted:
		return EINPROGRESS
	case *tcpip.ErrConnectionAborted:
		return ECONNABORTED
	case *tcpip.ErrConnectionRefused:
		return ECONNREFUSED
	case *tcpip.ErrConnectionReset:
		return ECONNRESET
	case *tcpip.ErrDestinationRequired:
		return EDESTADDRREQ
	case *tcpip.ErrDuplicateAddress:
		return EEXIST
	case *tcpip.ErrDuplicateNICID:
		return EEXIST
	case *tcpip.ErrEndpointBusy:
		return EBUSY
	case *tcpip.ErrHostDown:
		return EHOSTDOWN
	case *tcpip.ErrHostUnreachable:
		return EHOSTUNREACH
	case *tcpip.ErrInvalidEndpointState:
		return EINVAL
	case *tcpip.ErrInvalidNICID:
		return ENODEV
	case *tcpip.ErrInvalidOptionValue:
		return EINVAL
	case *tcpip.ErrInvalidPortRange:
		return EINVAL
	case *tcpip.ErrMalformedHeader:
		return EINVAL
	case *tcpip.ErrMessageTooLong:
		return EMSGSIZE
	case *tcpip.ErrMissingRequiredFields:
		return EINVAL
	case *tcpip.ErrMulticastInputCannotBeOutput:
		return EINVAL
	case *tcpip.ErrNetworkUnreachable:
		return ENETUNREACH
	case *tcpip.ErrNoBufferSpace:
		return ENOBUFS
	case *tcpip.ErrNoNet:
		return ENONET
	case *tcpip.ErrNoPortAvailable:
		return EAGAIN
	case *tcpip.ErrNoSuchFile:
		return ENOENT
	case *tcpip.ErrNotConnected:
		return ENOTCONN
	case *tcpip.ErrNotPermitted:
		return EPERM
	case *tcpip.ErrNotSupported:
		return EOPNOTSUPP
	case *tcpip.ErrPortInUse:
		return EADDRINUSE
	case *tcpip.ErrQueueSizeNotSupported:
		return ENOTTY
	case *tcpip.ErrTimeout:
		return ETIMEDOUT
	case *tcpip.ErrUnknownDevice:
		return ENODEV
	case *tcpip.ErrUnknownNICID:
		return ENODEV
	case *tcpip.ErrUnknownProtocol:
		return EPROTONOSUPPORT
	case *tcpip.ErrUnknownProtocolOption:
		return ENOPROTOOPT
	}
	// An error that a later gVisor adds; the test names it.
	return EIO
}
