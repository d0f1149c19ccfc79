// # Operations
//
// What stands for each entry of Linux's tables, and for each ioctl. An entry
// that is absent says why.
//
// struct proto_ops:
//
//	family                works  ProtoOps.Family
//	owner                 works  Register, Unregister               each Socket holds its family
//	release               works  ProtoOps.Release
//	bind                  works  ProtoOps.Bind
//	connect               works  ProtoOps.Connect
//	socketpair            works  ProtoOps.SocketPair
//	accept                works  ProtoOps.Accept
//	getname               works  ProtoOps.GetName
//	poll                  works  ProtoOps.Poll
//	ioctl                 works  ProtoOps.Ioctl
//	compat_ioctl          absent                                    there is one ABI
//	gettstamp             works  TStamper.GetTStamp
//	listen                works  ProtoOps.Listen
//	shutdown              works  ProtoOps.Shutdown
//	setsockopt            works  ProtoOps.SetSockOpt
//	getsockopt            works  ProtoOps.GetSockOpt
//	compat_setsockopt     absent                                    there is one ABI
//	compat_getsockopt     absent                                    there is one ABI
//	show_fdinfo           absent                                    there is no /proc; Sockets tells of each socket
//	sendmsg               works  ProtoOps.SendMsg
//	recvmsg               works  ProtoOps.RecvMsg
//	mmap                  absent                                    a receive is a function call into the caller's memory: no border to save a copy at
//	sendpage              absent                                    SendMsg takes the caller's memory where it lies
//	splice_read           absent                                    there are no pipes; a receive and a send cost no system call
//	set_peek_off          works  Sock.PeekOff                       SO_PEEK_OFF; the protocol asks when it peeks
//	peek_len              works  Queuer.Queued
//	read_sock             absent                                    gVisor holds an endpoint's lock while it is read: no callback may run then
//	sendpage_locked       absent                                    for the kernel's own callers with the lock held; there are none
//	sendmsg_locked        absent                                    for the kernel's own callers with the lock held; there are none
//	set_rcvlowat          works  LowatLimiter.LowatLimit            SO_RCVLOWAT
//
// The operations that are Linux's sock_no_*, which fail with EOPNOTSUPP:
//
//	inet.StreamOps        socketpair
//	inet.DgramOps         socketpair accept listen
//	unix.StreamOps        setsockopt getsockopt
//	unix.DgramOps         accept listen setsockopt getsockopt
//	unix.SeqpacketOps     setsockopt getsockopt
//	packet.Ops            connect socketpair accept listen shutdown
//	packet.OpsSpkt        connect socketpair accept listen shutdown setsockopt getsockopt
//
// struct proto:
//
//	name                  works  Proto.Name
//	owner                 works  RegisterProtosw, UnregisterProtosw each Sock holds its entry of inetsw
//	close                 works  Proto.Close
//	pre_connect           absent                                    it is where BPF programs of a control group are asked; hooks are Security's
//	connect               works  Proto.Connect
//	disconnect            works  Proto.Disconnect
//	accept                works  Listener.Accept
//	ioctl                 works  Ioctler.Ioctl
//	init                  works  Proto.Init
//	destroy               works  Proto.Close
//	shutdown              works  Proto.Shutdown
//	setsockopt            works  Proto.SetSockOpt
//	getsockopt            works  Proto.GetSockOpt
//	keepalive             works  OptionWatcher.OptionSet
//	compat_setsockopt     absent                                    there is one ABI
//	compat_getsockopt     absent                                    there is one ABI
//	sendmsg               works  Proto.SendMsg
//	recvmsg               works  Proto.RecvMsg
//	sendpage              absent                                    SendMsg takes the caller's memory where it lies
//	bind                  works  Binder.Bind
//	backlog_rcv           absent                                    gVisor's endpoints have a backlog of their own
//	release_cb            absent                                    gVisor's endpoints work theirs off when they are unlocked
//	hash                  works  Proto.GetPort                      binding makes a Sock known
//	unhash                works  Proto.Close                        and Disconnect
//	rehash                works  Proto.Connect
//	get_port              works  Proto.GetPort
//	enter_memory_pressure works  Sysctl.MemPressure                 counted in Memory
//	leave_memory_pressure works  Sysctl.MemPressure                 counted in Memory
//	memory_pressure       works  MemStat.Pressure                   Memory
//	memory_allocated      works  MemStat.Bytes                      Memory, for all protocols together; Protocols, for each
//	sockets_allocated     works  ProtoInfo.Sockets                  Protocols; the limit is SetMaxSockets
//	sysctl_mem            works  Sysctl.MemMax                      past it a socket is ENOBUFS
//	sysctl_wmem           works  Memory.TCPSend                     and Datagram
//	sysctl_rmem           works  Memory.TCPReceive                  and Datagram
//	stream_memory_free    works  Proto.Poll                         POLLOUT
//	orphan_count          works  MemStat.Orphans                    past MemMax they are reset
//	max_header            absent                                    gVisor asks the route
//	obj_size              absent                                    memory is Go's
//	slab_flags            absent                                    memory is Go's
//	twsk_prot             absent                                    gVisor's endpoints are in TIME-WAIT themselves
//	rsk_prot              absent                                    gVisor's listeners keep what is half open
//	h.hashinfo            absent                                    the stack's tables find the endpoint
//	h.udp_table           absent                                    the stack's tables find the endpoint
//	no_autobind           works  StreamOps                          a connect binds TCP; an ICSK entry of inetsw is not bound before
//	diag_destroy          works  Aborter.Abort                      Socket.Abort, Task.AbortSockets
//
// The ioctls, and what a fresh socket of AF_INET answers about lo; every other is ENOTTY:
//
//	SIOCDEVPRIVATE…+15    EOPNOTSUPP   the driver's, by netdev.InterfaceConfig; lo has none
//	FIOSETOWN             works        an Owner is called where Linux sends SIGIO
//	SIOCSPGRP             works        as FIOSETOWN
//	FIOGETOWN             works
//	SIOCGPGRP             works
//	FIONBIO               works
//	SIOCGIFBR             ENOPKG       SetBridgeIoctl, the loader asked for bridge
//	SIOCSIFBR             ENOPKG       as SIOCGIFBR
//	SIOCBRADDBR           ENOPKG       as SIOCGIFBR
//	SIOCBRDELBR           ENOPKG       as SIOCGIFBR
//	SIOCGIFVLAN           ENOPKG       SetVlanIoctl, the loader asked for 8021q
//	SIOCSIFVLAN           ENOPKG       as SIOCGIFVLAN
//	SIOCADDDLCI           ENOPKG       SetDlciIoctl, the loader asked for dlci
//	SIOCDELDLCI           ENOPKG       as SIOCADDDLCI
//	SIOCGSKNS             works        gives the *netdev.Stack
//	SIOCGSTAMP            ENOENT       before a message came
//	SIOCGSTAMPNS          ENOENT       before a message came
//	SIOCINQ               works        FIONREAD
//	SIOCOUTQ              works        on TCP what is not acknowledged
//	SIOCOUTQNSD           works        TCP: what is not sent
//	SIOCATMARK            works        TCP, and a stream of AF_UNIX
//	SIOCGIFCONF           works
//	SIOCGIFINDEX          works
//	SIOCGIFNAME           works
//	SIOCGIFFLAGS          works
//	SIOCSIFFLAGS          works        IFF_UP, IFF_PROMISC and IFF_ALLMULTI
//	SIOCGIFADDR           works
//	SIOCSIFADDR           works
//	SIOCGIFNETMASK        works
//	SIOCSIFNETMASK        works
//	SIOCGIFBRDADDR        works
//	SIOCGIFHWADDR         works
//	SIOCADDMULTI          EINVAL       lo filters nothing; a card does
//	SIOCDELMULTI          EINVAL       lo filters nothing; a card does
//	SIOCSIFHWADDR         EOPNOTSUPP   lo keeps its own; a card's is set
//	SIOCGIFMTU            works
//	SIOCSIFMTU            works
//	SIOCGIFMETRIC         works        always 0, as on Linux
//	SIOCSIFMETRIC         EOPNOTSUPP   as on Linux
//	SIOCADDRT             works
//	SIOCDELRT             works
//	SIOCSARP              EPFNOSUPPORT of an address that is not AF_INET's
//	SIOCGARP              EPFNOSUPPORT of an address that is not AF_INET's
//	SIOCDARP              EPFNOSUPPORT of an address that is not AF_INET's
//	SIOCETHTOOL           works        ETHTOOL_GLINK and statistics
package families
