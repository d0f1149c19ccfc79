// Package socket is the BSD socket layer: families, sockets, file
// descriptors and the calls, with Linux's names, numbers, order of checks and
// errors, as plain Go functions.
//
// # The way of a call
//
//	(*Task).Socket(AF_INET, SOCK_STREAM, 0)       Linux sys_socket
//	  families[AF_INET].Create                    __sock_create, pf->create
//	    inetsw[SOCK_STREAM] → ProtoSW             inet_create
//	      s.Ops = ProtoSW.Ops                     sock->ops
//	      s.Sk.Prot = ProtoSW.Prot                sk->sk_prot
//	(*Task).Connect(fd, addr)                     sys_connect
//	  sockfd lookup, security hook
//	  s.Ops.Connect                               inet_stream_connect
//	    s.Sk.Prot.Connect                         tcp_v4_connect
//
// A [Task] is the caller: its network, its privileges and its descriptors
// (Linux's current). A [Socket] is what a descriptor stands for; every call
// on a descriptor is a look-up and then the method of that name on Socket,
// which kernel code, package stdnet among it, uses without a descriptor. A
// [Sock] is the protocol's side of a socket (Linux's struct sock).
//
// # Operations
//
// [ProtoOps] is the family's table (Linux struct proto_ops), [Proto] the
// protocol's (struct proto). What of Linux's tables has no method here is an
// optional interface beside it, or does not apply: package families lists
// every entry, every ioctl and every option with its state.
//
// # Blocking
//
// Calls block as on Linux: until done, for SO_RCVTIMEO or SO_SNDTIMEO, or not
// at all with O_NONBLOCK or MSG_DONTWAIT (EAGAIN). Closing a descriptor wakes
// the calls that are inside it, which return EBADF; Linux leaves them asleep.
//
// An epoll set ([Task.EpollCreate1]) is a descriptor too, the only kind that is
// no socket: ENOTSOCK. What it watches costs nothing until an event comes, and
// that then a place on a list, whoever waits.
//
// # Locks, in the order in which they are taken
//
// an epoll set's, then those of the sets in it; the fd table; [Sock.Lock]
// (Linux lock_sock), which guards Socket.State and what the families document;
// gVisor's endpoint locks; the wait queue's; an epoll set's ready list. Send,
// receive, poll and getsockopt take no Sock lock. No lock is held over a
// security hook, the loader, or a wait.
package socket
