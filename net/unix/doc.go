// Package unix is AF_UNIX: Linux's net/unix/af_unix.c, for sockets of one
// machine among themselves, without gVisor.
//
// # Names
//
// A socket has a path, an abstract name (one that starts with a zero byte; a
// name space for each type, as on Linux), or none. A bind to the family alone
// picks a free abstract name. Paths are entries of a table that each network
// has; there are no files, folders, permissions or working directory, so any
// path of 1 to 108 bytes can be bound. A path stays in use when its socket has
// gone: connecting is then ECONNREFUSED and binding EADDRINUSE, until [Unlink]
// removes it.
//
// # Data
//
// What is sent is copied once into a message in the receiver's queue, charged
// to the sender by Linux's measure against SO_SNDBUF until it is received.
// Messages and their buffers are used again; steady traffic does not allocate.
// A receiver of datagrams holds max_dgram_qlen and one more, a listener its
// backlog and one more; then the sender or connector waits, or has EAGAIN.
//
// # Control messages
//
// SCM_RIGHTS passes sockets: the files are held by the message, as if by a
// descriptor, until they are received or the message is thrown away. Rings of
// sockets that only hold each other are found and closed (gc.go). A message
// has the sender's SCM_CREDENTIALS where one of the ends has SO_PASSCRED.
//
// # proto_ops
//
//	release      unix_release          present
//	bind         unix_bind             present
//	connect      unix_stream_connect   present
//	             unix_dgram_connect    present
//	socketpair   unix_socketpair       present
//	accept       unix_accept           stream and seqpacket; else EOPNOTSUPP
//	getname      unix_getname          present
//	poll         unix_poll             present
//	             unix_dgram_poll       present
//	ioctl        unix_ioctl            FIONREAD SIOCOUTQ SIOCATMARK; others ENOTTY
//	listen       unix_listen           stream and seqpacket; else EOPNOTSUPP
//	shutdown     unix_shutdown         present
//	setsockopt   none                  EOPNOTSUPP but for SOL_SOCKET
//	getsockopt   none                  EOPNOTSUPP but for SOL_SOCKET
//	sendmsg      unix_*_sendmsg        present; MSG_OOB on streams only
//	recvmsg      unix_*_recvmsg        present; MSG_OOB on streams only
//	set_peek_off sk_set_peek_off       present
//	read_skb     unix_*_read_skb       not applicable: there is no sockmap
//	splice_read  unix_stream_splice_read  not applicable: there are no pipes
//	mmap         none                  not applicable
//	show_fdinfo  unix_show_fdinfo      not applicable: there is no /proc
//	compat_ioctl unix_compat_ioctl     not applicable: there is one ABI
//
// # proto
//
//	close             unix_close       the work is in release, here in Close
//	bpf_bypass_getsockopt, psock_update_sk_prot   not applicable
//	init connect disconnect accept ioctl setsockopt getsockopt sendmsg recvmsg
//	hash unhash get_port keepalive backlog_rcv    none on Linux either; here
//	                  Proto's methods are where the ops' work is
//
// # Options of SOL_SOCKET that only this family has
//
//	SO_PASSCRED   works
//	SO_PEERCRED   works; on other families no peer (0, -1, -1)
//	SO_PASSSEC SO_PEERSEC SO_PASSPIDFD SO_PEERPIDFD SO_PEERGROUPS
//	              ENOPROTOOPT: there are no labels, processes or groups
//	SO_ATTACH_FILTER  works on datagrams and seqpackets, over their data;
//	              stored on streams, as on Linux
//	SO_RCVBUF     stored: what is received is charged to the sender
//
// # Locks, in the order in which they are taken
//
// collecting; inflight; a network's table, which guards names and peers; a
// queue's recv, which the receiver holds while it copies; a queue's mu. Files
// and sockets are closed with none of them held but collecting.
package unix
