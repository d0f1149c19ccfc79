// # Socket options
//
// The options that sockets have. One that works does what Linux's does; one
// that is stored is checked and read back as there, without effect; the
// others are ENOPROTOOPT, and so is every option that no table names.
//
// SOL_SOCKET:
//
//	SO_DEBUG                 stored      nothing is traced
//	SO_REUSEADDR             works
//	SO_TYPE                  works
//	SO_ERROR                 works
//	SO_DONTROUTE             stored      every route is looked up
//	SO_BROADCAST             works
//	SO_SNDBUF                works
//	SO_RCVBUF                works
//	SO_KEEPALIVE             works
//	SO_OOBINLINE             works
//	SO_NO_CHECK              works
//	SO_PRIORITY              stored      there are no queueing disciplines
//	SO_LINGER                works
//	SO_BSDCOMPAT             stored      it means nothing on Linux either
//	SO_REUSEPORT             works
//	SO_PASSCRED              works
//	SO_PEERCRED              works
//	SO_RCVLOWAT              works
//	SO_SNDLOWAT              works
//	SO_RCVTIMEO              works
//	SO_SNDTIMEO              works
//	SO_BINDTODEVICE          works
//	SO_ATTACH_FILTER         works
//	SO_DETACH_FILTER         works
//	SO_PEERNAME              works
//	SO_TIMESTAMP             works
//	SO_ACCEPTCONN            works
//	SO_PEERSEC               ENOPROTOOPT hooks label nothing
//	SO_SNDBUFFORCE           works
//	SO_RCVBUFFORCE           works
//	SO_TIMESTAMPNS           works
//	SO_MARK                  works
//	SO_TIMESTAMPING          ENOPROTOOPT devices take no time stamps
//	SO_PROTOCOL              works
//	SO_DOMAIN                works
//	SO_RXQ_OVFL              works
//	SO_WIFI_STATUS           ENOPROTOOPT there is no wireless
//	SO_PEEK_OFF              works
//	SO_NOFCS                 ENOPROTOOPT devices append the frame check sequence
//	SO_LOCK_FILTER           works
//	SO_SELECT_ERR_QUEUE      works
//	SO_BUSY_POLL             ENOPROTOOPT nothing polls when idle
//	SO_MAX_PACING_RATE       ENOPROTOOPT sending is not paced
//	SO_INCOMING_CPU          stored      there is one CPU
//	SO_ATTACH_BPF            ENOPROTOOPT there is no extended BPF
//	SO_CNX_ADVICE            ENOPROTOOPT there is no route cache
//	SO_MEMINFO               works
//	SO_INCOMING_NAPI_ID      works
//	SO_COOKIE                works
//	SO_ZEROCOPY              ENOPROTOOPT no completions are queued
//	SO_TXTIME                ENOPROTOOPT there are no queueing disciplines
//	SO_BINDTOIFINDEX         works
//	SO_TIMESTAMP_NEW         works
//	SO_TIMESTAMPNS_NEW       works
//	SO_RCVTIMEO_NEW          works
//	SO_SNDTIMEO_NEW          works
//	SO_PREFER_BUSY_POLL      ENOPROTOOPT nothing polls when idle
//	SO_BUSY_POLL_BUDGET      ENOPROTOOPT nothing polls when idle
//	SO_NETNS_COOKIE          ENOPROTOOPT networks have no number
//	SO_BUF_LOCK              works       on TCP, whose buffers alone grow; one that is unlocked stays as it is
//	SO_RESERVE_MEM           ENOPROTOOPT memory is Go's
//	SO_TXREHASH              ENOPROTOOPT there are no flow hashes
//	SO_RCVMARK               ENOPROTOOPT marks do not outlive the output path
//	SO_RCVPRIORITY           ENOPROTOOPT received packets have no priority
//
// SOL_IP:
//
//	IP_TOS                   works
//	IP_TTL                   works
//	IP_HDRINCL               works
//	IP_OPTIONS               ENOPROTOOPT no IP options are sent
//	IP_ROUTER_ALERT          ENOPROTOOPT nothing is forwarded
//	IP_RECVOPTS              stored      received IP options are not kept
//	IP_RETOPTS               ENOPROTOOPT received IP options are not kept
//	IP_PKTINFO               works
//	IP_PKTOPTIONS            ENOPROTOOPT a stream keeps no control messages
//	IP_MTU_DISCOVER          works
//	IP_RECVERR               works
//	IP_RECVTTL               works
//	IP_RECVTOS               works
//	IP_MTU                   works
//	IP_FREEBIND              works       a stream cannot connect from an address that is not there
//	IP_IPSEC_POLICY          ENOPROTOOPT there is no IPsec
//	IP_XFRM_POLICY           ENOPROTOOPT there is no IPsec
//	IP_PASSSEC               ENOPROTOOPT hooks label nothing
//	IP_TRANSPARENT           works       only UDP sends from such an address, and within this machine
//	IP_RECVORIGDSTADDR       works
//	IP_MINTTL                works
//	IP_NODEFRAG              stored      there is no defragmenter to pass by
//	IP_CHECKSUM              ENOPROTOOPT checksums of packets are not kept
//	IP_BIND_ADDRESS_NO_PORT  works
//	IP_RECVFRAGSIZE          ENOPROTOOPT sizes of fragments are not kept
//	IP_RECVERR_RFC4884       stored      gVisor does not parse RFC 4884's extensions
//	IP_MULTICAST_IF          works
//	IP_MULTICAST_TTL         works
//	IP_MULTICAST_LOOP        works
//	IP_ADD_MEMBERSHIP        works
//	IP_DROP_MEMBERSHIP       works
//	IP_ADD_SOURCE_MEMBERSHIP ENOPROTOOPT gVisor has no source filters (RFC 3376)
//	IP_MSFILTER              ENOPROTOOPT gVisor has no source filters (RFC 3376)
//	MCAST_JOIN_GROUP         ENOPROTOOPT IP_ADD_MEMBERSHIP does the same
//	IP_MULTICAST_ALL         works       on UDP; gVisor's endpoints receive what was sent to any group
//	IP_UNICAST_IF            ENOPROTOOPT SO_BINDTODEVICE does the same
//	IP_LOCAL_PORT_RANGE      works
//	IP_PROTOCOL              works
//	SO_ORIGINAL_DST          works       a handler of package netfilter
//
// SOL_IPV6:
//
//	IPV6_ADDRFORM            ENOPROTOOPT a socket keeps its family
//	IPV6_FLOWINFO            ENOPROTOOPT gVisor sends no flow labels
//	IPV6_UNICAST_HOPS        works
//	IPV6_MULTICAST_IF        works
//	IPV6_MULTICAST_HOPS      works
//	IPV6_MULTICAST_LOOP      works
//	IPV6_ADD_MEMBERSHIP      works
//	IPV6_DROP_MEMBERSHIP     works
//	IPV6_ROUTER_ALERT        ENOPROTOOPT nothing is forwarded
//	IPV6_MTU_DISCOVER        works       on UDP; gVisor fragments what other sockets send
//	IPV6_MTU                 works       reads the route's; setting is stored
//	IPV6_RECVERR             works
//	IPV6_V6ONLY              works
//	IPV6_JOIN_ANYCAST        ENOPROTOOPT gVisor has no anycast groups
//	IPV6_MULTICAST_ALL       works       on UDP; gVisor's endpoints receive what was sent to any group
//	IPV6_RECVERR_RFC4884     stored      gVisor does not parse RFC 4884's extensions
//	IPV6_FLOWINFO_SEND       ENOPROTOOPT gVisor sends no flow labels
//	IPV6_RECVPKTINFO         works
//	IPV6_PKTINFO             ENOPROTOOPT a control message does the same for one packet
//	IPV6_RECVHOPLIMIT        works
//	IPV6_RECVHOPOPTS         ENOPROTOOPT extension headers are not kept
//	IPV6_RECVRTHDR           ENOPROTOOPT extension headers are not kept
//	IPV6_RECVDSTOPTS         ENOPROTOOPT extension headers are not kept
//	IPV6_RECVPATHMTU         ENOPROTOOPT gVisor does not tell of path MTUs
//	IPV6_DONTFRAG            works       on UDP; gVisor fragments what other sockets send
//	IPV6_RECVTCLASS          works
//	IPV6_TCLASS              works
//	IPV6_AUTOFLOWLABEL       ENOPROTOOPT gVisor sends no flow labels
//	IPV6_ADDR_PREFERENCES    ENOPROTOOPT gVisor chooses source addresses (RFC 6724)
//	IPV6_MINHOPCOUNT         works
//	IPV6_RECVORIGDSTADDR     works
//	IPV6_TRANSPARENT         works       only UDP sends from such an address, and within this machine
//	IPV6_UNICAST_IF          ENOPROTOOPT SO_BINDTODEVICE does the same
//	IPV6_RECVFRAGSIZE        ENOPROTOOPT sizes of fragments are not kept
//	IPV6_FREEBIND            works       a stream cannot connect from an address that is not there
//
// SOL_TCP:
//
//	TCP_NODELAY              works
//	TCP_MAXSEG               works
//	TCP_CORK                 works
//	TCP_KEEPIDLE             works
//	TCP_KEEPINTVL            works
//	TCP_KEEPCNT              works
//	TCP_SYNCNT               works
//	TCP_LINGER2              works
//	TCP_DEFER_ACCEPT         works
//	TCP_WINDOW_CLAMP         works
//	TCP_INFO                 works
//	TCP_QUICKACK             works
//	TCP_CONGESTION           works
//	TCP_MD5SIG               ENOPROTOOPT gVisor does not sign segments (RFC 2385)
//	TCP_THIN_LINEAR          stored      gVisor backs off for thin streams too
//	TCP_THIN_DUPACK          stored      it means nothing on Linux either
//	TCP_USER_TIMEOUT         works
//	TCP_REPAIR               ENOPROTOOPT connections do not move
//	TCP_FASTOPEN             ENOPROTOOPT gVisor sends no data with a SYN (RFC 7413)
//	TCP_TIMESTAMP            ENOPROTOOPT connections do not move
//	TCP_NOTSENT_LOWAT        works
//	TCP_CC_INFO              ENOPROTOOPT cubic and reno tell nothing
//	TCP_SAVE_SYN             ENOPROTOOPT gVisor does not keep a SYN
//	TCP_SAVED_SYN            ENOPROTOOPT gVisor does not keep a SYN
//	TCP_FASTOPEN_CONNECT     ENOPROTOOPT gVisor sends no data with a SYN (RFC 7413)
//	TCP_ULP                  ENOPROTOOPT there are no upper layer protocols
//	TCP_FASTOPEN_KEY         ENOPROTOOPT gVisor sends no data with a SYN (RFC 7413)
//	TCP_ZEROCOPY_RECEIVE     ENOPROTOOPT there is no memory to map
//	TCP_INQ                  works
//	TCP_TX_DELAY             ENOPROTOOPT sending is not paced
//	TCP_IS_MPTCP             works
//
// SOL_UDP:
//
//	UDP_CORK                 works
//	UDP_ENCAP                ENOPROTOOPT there is no IPsec
//	UDP_NO_CHECK6_TX         works
//	UDP_NO_CHECK6_RX         works
//	UDP_SEGMENT              works
//	UDP_GRO                  works       of what UDP_SEGMENT sends within this machine; a device's datagrams are delivered one by one
//
// SOL_PACKET:
//
//	PACKET_ADD_MEMBERSHIP    works
//	PACKET_DROP_MEMBERSHIP   works
//	PACKET_RX_RING           ENOPROTOOPT there is no memory to map: a receive is a function call
//	PACKET_STATISTICS        works
//	PACKET_COPY_THRESH       ENOPROTOOPT there is no memory to map: a receive is a function call
//	PACKET_AUXDATA           works
//	PACKET_ORIGDEV           stored      no interface stands on another
//	PACKET_VERSION           works
//	PACKET_HDRLEN            ENOPROTOOPT there is no memory to map: a receive is a function call
//	PACKET_RESERVE           ENOPROTOOPT there is no memory to map: a receive is a function call
//	PACKET_TX_RING           ENOPROTOOPT there is no memory to map: a receive is a function call
//	PACKET_LOSS              ENOPROTOOPT there is no memory to map: a receive is a function call
//	PACKET_VNET_HDR          ENOPROTOOPT packets are whole: offloads are between the stack and its devices
//	PACKET_TX_TIMESTAMP      ENOPROTOOPT devices take no time stamps
//	PACKET_TIMESTAMP         ENOPROTOOPT devices take no time stamps
//	PACKET_FANOUT            ENOPROTOOPT each socket has every packet
//	PACKET_TX_HAS_OFF        ENOPROTOOPT there is no memory to map: a receive is a function call
//	PACKET_QDISC_BYPASS      ENOPROTOOPT there are no queueing disciplines
//	PACKET_ROLLOVER_STATS    ENOPROTOOPT each socket has every packet
//	PACKET_FANOUT_DATA       ENOPROTOOPT each socket has every packet
//	PACKET_IGNORE_OUTGOING   works
//
// Raw sockets:
//
//	ICMP_FILTER              works       SOL_RAW, IPPROTO_ICMP
//	ICMPV6_FILTER            works       SOL_ICMPV6, IPPROTO_ICMPV6
//	IPV6_CHECKSUM            works       SOL_RAW and SOL_IPV6, every protocol of AF_INET6
package families
