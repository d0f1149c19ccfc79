package socket

// Address families (include/linux/socket.h). PF_* are the same numbers.
const (
	AF_UNSPEC = 0
	AF_UNIX   = 1
	AF_LOCAL  = AF_UNIX
	AF_INET   = 2
	AF_INET6  = 10
	AF_PACKET = 17

	// NPROTO is the size of the family table, Linux's AF_MAX.
	NPROTO = 46
)

// Socket types, and the flags that may be or'ed to them
// (include/linux/net.h). SOCK_MAX is one more than the largest type.
const (
	SOCK_STREAM    = 1
	SOCK_DGRAM     = 2
	SOCK_RAW       = 3
	SOCK_RDM       = 4
	SOCK_SEQPACKET = 5
	SOCK_DCCP      = 6
	SOCK_PACKET    = 10
	SOCK_MAX       = SOCK_PACKET + 1

	SOCK_TYPE_MASK = 0xf
	SOCK_NONBLOCK  = O_NONBLOCK
	SOCK_CLOEXEC   = 0o2000000
)

// File status flags (include/uapi/asm-generic/fcntl.h).
const (
	O_RDWR     = 0o2
	O_NONBLOCK = 0o4000
)

// IP protocols (include/uapi/linux/in.h). Protocols from 256 on exist only to
// socket calls.
const (
	IPPROTO_IP      = 0
	IPPROTO_ICMP    = 1
	IPPROTO_TCP     = 6
	IPPROTO_UDP     = 17
	IPPROTO_IPV6    = 41
	IPPROTO_ICMPV6  = 58
	IPPROTO_UDPLITE = 136
	IPPROTO_RAW     = 255
	IPPROTO_MPTCP   = 262
	IPPROTO_MAX     = IPPROTO_MPTCP + 1
)

// Flags of send and receive (include/linux/socket.h).
const (
	MSG_OOB          = 0x1
	MSG_PEEK         = 0x2
	MSG_DONTROUTE    = 0x4
	MSG_CTRUNC       = 0x8
	MSG_TRUNC        = 0x20
	MSG_DONTWAIT     = 0x40
	MSG_EOR          = 0x80
	MSG_WAITALL      = 0x100
	MSG_CONFIRM      = 0x800
	MSG_ERRQUEUE     = 0x2000
	MSG_NOSIGNAL     = 0x4000
	MSG_MORE         = 0x8000
	MSG_WAITFORONE   = 0x10000
	MSG_CMSG_CLOEXEC = 0x40000000
)

// How to shut down (include/linux/net.h), and the same as bits, as a Sock
// keeps them (include/net/sock.h).
const (
	SHUT_RD   = 0
	SHUT_WR   = 1
	SHUT_RDWR = 2

	RCV_SHUTDOWN  = 1
	SEND_SHUTDOWN = 2
	SHUTDOWN_MASK = 3
)

// Option levels.
const (
	SOL_IP     = IPPROTO_IP
	SOL_SOCKET = 1
	SOL_TCP    = IPPROTO_TCP
	SOL_UDP    = IPPROTO_UDP
	SOL_IPV6   = IPPROTO_IPV6
	SOL_ICMPV6 = IPPROTO_ICMPV6
	SOL_RAW    = 255
	SOL_PACKET = 263
)

// Options of level SOL_SOCKET (include/uapi/asm-generic/socket.h).
const (
	SO_DEBUG       = 1
	SO_REUSEADDR   = 2
	SO_TYPE        = 3
	SO_ERROR       = 4
	SO_DONTROUTE   = 5
	SO_BROADCAST   = 6
	SO_SNDBUF      = 7
	SO_RCVBUF      = 8
	SO_KEEPALIVE   = 9
	SO_OOBINLINE   = 10
	SO_LINGER      = 13
	SO_REUSEPORT   = 15
	SO_PASSCRED    = 16
	SO_PEERCRED    = 17
	SO_RCVTIMEO    = 20
	SO_SNDTIMEO    = 21
	SO_ACCEPTCONN  = 30
	SO_SNDBUFFORCE = 32
	SO_RCVBUFFORCE = 33
	SO_PROTOCOL    = 38
	SO_DOMAIN      = 39

	SO_RCVTIMEO_NEW = 66
	SO_SNDTIMEO_NEW = 67
)

// SOMAXCONN is the backlog that programs ask for when they want the most.
const SOMAXCONN = 4096

// ioctl commands (include/uapi/asm-generic/ioctls.h, linux/sockios.h).
const (
	FIONREAD = 0x541B
	FIONBIO  = 0x5421
	SIOCINQ  = FIONREAD
	SIOCOUTQ = 0x5411

	// SIOCOUTQNSD is TCP's (include/uapi/linux/sockios.h).
	SIOCOUTQNSD = 0x894B
)
