// Package packet is AF_PACKET: Linux's net/packet/af_packet.c. Its sockets
// send and receive frames of the link layer, past the protocols above it.
//
// A socket registers a tap with the network's stack for its protocol and
// interface. A packet that the filter lets pass is copied once into the
// socket's queue, in a buffer that is used again, up to SO_RCVBUF.
//
// # proto_ops
//
//	release     packet_release          present
//	bind        packet_bind             present
//	            packet_bind_spkt        present
//	connect     sock_no_connect         EOPNOTSUPP
//	socketpair  sock_no_socketpair      EOPNOTSUPP
//	accept      sock_no_accept          EOPNOTSUPP
//	getname     packet_getname(_spkt)   present; no peer
//	poll        packet_poll             present
//	ioctl       packet_ioctl            FIONREAD SIOCOUTQ; others ENOTTY
//	gettstamp   sock_gettstamp          by the socket layer
//	listen      sock_no_listen          EOPNOTSUPP
//	shutdown    sock_no_shutdown        EOPNOTSUPP
//	setsockopt  packet_setsockopt       present
//	getsockopt  packet_getsockopt       present
//	sendmsg     packet_sendmsg(_spkt)   present
//	recvmsg     packet_recvmsg          present
//	mmap        packet_mmap             not there: a program here can have the
//	                                    driver's own rings
//
// # proto
//
// Linux's packet_proto is a name and a size; all else is in the ops.
//
// # Options of SOL_PACKET
//
//	PACKET_ADD_MEMBERSHIP   works: PROMISC; the others are kept, as no
//	PACKET_DROP_MEMBERSHIP  interface here filters by hardware address
//	PACKET_STATISTICS       works
//	PACKET_AUXDATA          works; no VLAN tag is ever taken off
//	PACKET_ORIGDEV          stored: there are no stacked interfaces
//	PACKET_VERSION          works
//	PACKET_IGNORE_OUTGOING  works
//	PACKET_RX_RING PACKET_TX_RING PACKET_RESERVE PACKET_LOSS PACKET_HDRLEN
//	PACKET_COPY_THRESH PACKET_TIMESTAMP PACKET_TX_HAS_OFF
//	                        ENOPROTOOPT: they belong to rings
//	PACKET_FANOUT PACKET_FANOUT_DATA PACKET_ROLLOVER_STATS
//	PACKET_QDISC_BYPASS PACKET_VNET_HDR PACKET_VNET_HDR_SZ
//	                        ENOPROTOOPT: not there
//
// # What differs from Linux
//
// A socket for all interfaces sees those that were there when it was bound. lo
// has no link header in the stack: SOCK_RAW is shown one of zeros, as on
// Linux, and what is sent there counts as this host's whatever its address.
package packet
