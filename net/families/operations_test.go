package families_test

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/inet"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/packet"
	"github.com/tamanet/tamanet/net/socket"
	"github.com/tamanet/tamanet/net/unix"
)

// The states of an entry of Linux's tables.
const (
	works  = "works"
	absent = "absent" // does not apply
)

// An entry says what stands for an entry of struct proto_ops or struct proto.
type entry struct {
	name  string
	state string
	in    reflect.Type // the interface with method, for what works by one
	at    string       // the method, or what else does it
	why   string
}

// by is an entry that a method of an interface is.
func by[T any](name, method, why string) entry {
	return entry{name: name, state: works, in: reflect.TypeFor[T](), at: method, why: why}
}

// protoOps has every entry of struct proto_ops (include/linux/net.h).
var protoOps = []entry{
	by[socket.ProtoOps]("family", "Family", ""),
	{name: "owner", state: works, at: "Register, Unregister", why: "each Socket holds its family"},
	by[socket.ProtoOps]("release", "Release", ""),
	by[socket.ProtoOps]("bind", "Bind", ""),
	by[socket.ProtoOps]("connect", "Connect", ""),
	by[socket.ProtoOps]("socketpair", "SocketPair", ""),
	by[socket.ProtoOps]("accept", "Accept", ""),
	by[socket.ProtoOps]("getname", "GetName", ""),
	by[socket.ProtoOps]("poll", "Poll", ""),
	by[socket.ProtoOps]("ioctl", "Ioctl", ""),
	{name: "compat_ioctl", state: absent, why: "there is one ABI"},
	by[socket.TStamper]("gettstamp", "GetTStamp", ""),
	by[socket.ProtoOps]("listen", "Listen", ""),
	by[socket.ProtoOps]("shutdown", "Shutdown", ""),
	by[socket.ProtoOps]("setsockopt", "SetSockOpt", ""),
	by[socket.ProtoOps]("getsockopt", "GetSockOpt", ""),
	{name: "compat_setsockopt", state: absent, why: "there is one ABI"},
	{name: "compat_getsockopt", state: absent, why: "there is one ABI"},
	{name: "show_fdinfo", state: absent, why: "there is no /proc; Sockets tells of each socket"},
	by[socket.ProtoOps]("sendmsg", "SendMsg", ""),
	by[socket.ProtoOps]("recvmsg", "RecvMsg", ""),
	{name: "mmap", state: absent, why: "a receive is a function call into the caller's memory: no border to save a copy at"},
	{name: "sendpage", state: absent, why: "SendMsg takes the caller's memory where it lies"},
	{name: "splice_read", state: absent, why: "there are no pipes; a receive and a send cost no system call"},
	by[socket.Sock]("set_peek_off", "PeekOff", "SO_PEEK_OFF; the protocol asks when it peeks"),
	by[socket.Queuer]("peek_len", "Queued", ""),
	{name: "read_sock", state: absent, why: "gVisor holds an endpoint's lock while it is read: no callback may run then"},
	{name: "sendpage_locked", state: absent, why: "for the kernel's own callers with the lock held; there are none"},
	{name: "sendmsg_locked", state: absent, why: "for the kernel's own callers with the lock held; there are none"},
	by[socket.LowatLimiter]("set_rcvlowat", "LowatLimit", "SO_RCVLOWAT"),
}

// protos has every entry of struct proto (include/net/sock.h).
var protos = []entry{
	by[socket.Proto]("name", "Name", ""),
	{name: "owner", state: works, at: "RegisterProtosw, UnregisterProtosw", why: "each Sock holds its entry of inetsw"},
	by[socket.Proto]("close", "Close", ""),
	{name: "pre_connect", state: absent, why: "it is where BPF programs of a control group are asked; hooks are Security's"},
	by[socket.Proto]("connect", "Connect", ""),
	by[socket.Proto]("disconnect", "Disconnect", ""),
	by[socket.Listener]("accept", "Accept", ""),
	by[socket.Ioctler]("ioctl", "Ioctl", ""),
	by[socket.Proto]("init", "Init", ""),
	by[socket.Proto]("destroy", "Close", ""),
	by[socket.Proto]("shutdown", "Shutdown", ""),
	by[socket.Proto]("setsockopt", "SetSockOpt", ""),
	by[socket.Proto]("getsockopt", "GetSockOpt", ""),
	by[socket.OptionWatcher]("keepalive", "OptionSet", ""),
	{name: "compat_setsockopt", state: absent, why: "there is one ABI"},
	{name: "compat_getsockopt", state: absent, why: "there is one ABI"},
	by[socket.Proto]("sendmsg", "SendMsg", ""),
	by[socket.Proto]("recvmsg", "RecvMsg", ""),
	{name: "sendpage", state: absent, why: "SendMsg takes the caller's memory where it lies"},
	by[socket.Binder]("bind", "Bind", ""),
	{name: "backlog_rcv", state: absent, why: "gVisor's endpoints have a backlog of their own"},
	{name: "release_cb", state: absent, why: "gVisor's endpoints work theirs off when they are unlocked"},
	by[socket.Proto]("hash", "GetPort", "binding makes a Sock known"),
	by[socket.Proto]("unhash", "Close", "and Disconnect"),
	by[socket.Proto]("rehash", "Connect", ""),
	by[socket.Proto]("get_port", "GetPort", ""),
	by[netdev.Sysctl]("enter_memory_pressure", "MemPressure", "counted in Memory"),
	by[netdev.Sysctl]("leave_memory_pressure", "MemPressure", "counted in Memory"),
	by[socket.MemStat]("memory_pressure", "Pressure", "Memory"),
	by[socket.MemStat]("memory_allocated", "Bytes", "Memory, for all protocols together; Protocols, for each"),
	by[socket.ProtoInfo]("sockets_allocated", "Sockets", "Protocols; the limit is SetMaxSockets"),
	by[netdev.Sysctl]("sysctl_mem", "MemMax", "past it a socket is ENOBUFS"),
	by[netdev.Memory]("sysctl_wmem", "TCPSend", "and Datagram"),
	by[netdev.Memory]("sysctl_rmem", "TCPReceive", "and Datagram"),
	by[socket.Proto]("stream_memory_free", "Poll", "POLLOUT"),
	by[socket.MemStat]("orphan_count", "Orphans", "past MemMax they are reset"),
	{name: "max_header", state: absent, why: "gVisor asks the route"},
	{name: "obj_size", state: absent, why: "memory is Go's"},
	{name: "slab_flags", state: absent, why: "memory is Go's"},
	{name: "twsk_prot", state: absent, why: "gVisor's endpoints are in TIME-WAIT themselves"},
	{name: "rsk_prot", state: absent, why: "gVisor's listeners keep what is half open"},
	{name: "h.hashinfo", state: absent, why: "the stack's tables find the endpoint"},
	{name: "h.udp_table", state: absent, why: "the stack's tables find the endpoint"},
	{name: "no_autobind", state: works, at: "StreamOps", why: "a connect binds TCP; an ICSK entry of inetsw is not bound before"},
	by[socket.Aborter]("diag_destroy", "Abort", "Socket.Abort, Task.AbortSockets"),
}

// noOps says which operations of a table are Linux's sock_no_*.
var noOps = []struct {
	table string
	ops   socket.ProtoOps
	names string
}{
	{"inet.StreamOps", inet.StreamOps, "socketpair"},
	{"inet.DgramOps", inet.DgramOps, "socketpair accept listen"},
	{"unix.StreamOps", unix.StreamOps, "setsockopt getsockopt"},
	{"unix.DgramOps", unix.DgramOps, "accept listen setsockopt getsockopt"},
	{"unix.SeqpacketOps", unix.SeqpacketOps, "setsockopt getsockopt"},
	{"packet.Ops", packet.Ops, "connect socketpair accept listen shutdown"},
	{"packet.OpsSpkt", packet.OpsSpkt, "connect socketpair accept listen shutdown setsockopt getsockopt"},
}

// noOpsCalls are the operations that may be a sock_no_*, which look at no argument.
var noOpsCalls = []struct {
	name string
	call func(socket.ProtoOps) error
}{
	{"bind", func(o socket.ProtoOps) error { return o.Bind(nil, socket.Sockaddr{}) }},
	{"connect", func(o socket.ProtoOps) error { return o.Connect(nil, socket.Sockaddr{}, 0) }},
	{"socketpair", func(o socket.ProtoOps) error { return o.SocketPair(nil, nil) }},
	{"accept", func(o socket.ProtoOps) error { return o.Accept(nil, nil, 0) }},
	{"listen", func(o socket.ProtoOps) error { return o.Listen(nil, 0) }},
	{"shutdown", func(o socket.ProtoOps) error { return o.Shutdown(nil, 0) }},
	{"setsockopt", func(o socket.ProtoOps) error { return o.SetSockOpt(nil, 0, 0, nil) }},
	{"getsockopt", func(o socket.ProtoOps) error { _, err := o.GetSockOpt(nil, 0, 0, nil); return err }},
	{"sendmsg", func(o socket.ProtoOps) error { _, err := o.SendMsg(nil, nil, 0); return err }},
	{"recvmsg", func(o socket.ProtoOps) error { _, err := o.RecvMsg(nil, nil, 0); return err }},
}

// An ioctl is what a command answers on a fresh datagram or, with stream, stream socket of AF_INET.
type ioctl struct {
	name   string
	cmd    uint
	arg    func() any
	stream bool
	want   error // of a call with arg; nil works
	why    string
}

func ptr[T any](v T) func() any { return func() any { p := v; return &p } }

var (
	intArg = ptr(0)
	ifArg  = ptr(socket.Ifreq{Name: "lo", Index: netdev.LoopbackIndex})
	noArg  = func() any { return nil }
)

var ioctls = []ioctl{
	{"SIOCDEVPRIVATE…+15", socket.SIOCDEVPRIVATE, ifArg, false, errno.EOPNOTSUPP, "the driver's, by netdev.InterfaceConfig; lo has none"},
	{"FIOSETOWN", socket.FIOSETOWN, intArg, false, nil, "an Owner is called where Linux sends SIGIO"},
	{"SIOCSPGRP", socket.SIOCSPGRP, intArg, false, nil, "as FIOSETOWN"},
	{"FIOGETOWN", socket.FIOGETOWN, intArg, false, nil, ""},
	{"SIOCGPGRP", socket.SIOCGPGRP, intArg, false, nil, ""},
	{"FIONBIO", socket.FIONBIO, intArg, false, nil, ""},
	{"SIOCGIFBR", socket.SIOCGIFBR, noArg, false, errno.ENOPKG, "SetBridgeIoctl, the loader asked for bridge"},
	{"SIOCSIFBR", socket.SIOCSIFBR, noArg, false, errno.ENOPKG, "as SIOCGIFBR"},
	{"SIOCBRADDBR", socket.SIOCBRADDBR, noArg, false, errno.ENOPKG, "as SIOCGIFBR"},
	{"SIOCBRDELBR", socket.SIOCBRDELBR, noArg, false, errno.ENOPKG, "as SIOCGIFBR"},
	{"SIOCGIFVLAN", socket.SIOCGIFVLAN, noArg, false, errno.ENOPKG, "SetVlanIoctl, the loader asked for 8021q"},
	{"SIOCSIFVLAN", socket.SIOCSIFVLAN, noArg, false, errno.ENOPKG, "as SIOCGIFVLAN"},
	{"SIOCADDDLCI", socket.SIOCADDDLCI, noArg, false, errno.ENOPKG, "SetDlciIoctl, the loader asked for dlci"},
	{"SIOCDELDLCI", socket.SIOCDELDLCI, noArg, false, errno.ENOPKG, "as SIOCADDDLCI"},
	{"SIOCGSKNS", socket.SIOCGSKNS, ptr(any(nil)), false, nil, "gives the *netdev.Stack"},
	{"SIOCGSTAMP", socket.SIOCGSTAMP, ptr(time.Time{}), false, errno.ENOENT, "before a message came"},
	{"SIOCGSTAMPNS", socket.SIOCGSTAMPNS, ptr(time.Time{}), false, errno.ENOENT, "before a message came"},
	{"SIOCINQ", socket.SIOCINQ, intArg, false, nil, "FIONREAD"},
	{"SIOCOUTQ", socket.SIOCOUTQ, intArg, false, nil, "on TCP what is not acknowledged"},
	{"SIOCOUTQNSD", socket.SIOCOUTQNSD, intArg, true, nil, "TCP: what is not sent"},
	{"SIOCATMARK", socket.SIOCATMARK, intArg, true, nil, "TCP, and a stream of AF_UNIX"},
	{"SIOCGIFCONF", socket.SIOCGIFCONF, ptr(socket.Ifconf{}), false, nil, ""},
	{"SIOCGIFINDEX", socket.SIOCGIFINDEX, ifArg, false, nil, ""},
	{"SIOCGIFNAME", socket.SIOCGIFNAME, ifArg, false, nil, ""},
	{"SIOCGIFFLAGS", socket.SIOCGIFFLAGS, ifArg, false, nil, ""},
	{"SIOCSIFFLAGS", socket.SIOCSIFFLAGS, ptr(socket.Ifreq{Name: "lo", Flags: netdev.IFF_UP}), false, nil, "IFF_UP, IFF_PROMISC and IFF_ALLMULTI"},
	{"SIOCGIFADDR", socket.SIOCGIFADDR, ifArg, false, nil, ""},
	{"SIOCSIFADDR", socket.SIOCSIFADDR, ptr(socket.Ifreq{Name: "lo", Addr: socket.SockaddrInet4([4]byte{127, 0, 0, 2}, 0)}), false, nil, ""},
	{"SIOCGIFNETMASK", socket.SIOCGIFNETMASK, ifArg, false, nil, ""},
	{"SIOCSIFNETMASK", socket.SIOCSIFNETMASK, ptr(socket.Ifreq{Name: "lo", Addr: socket.SockaddrInet4([4]byte{255, 0, 0, 0}, 0)}), false, nil, ""},
	{"SIOCGIFBRDADDR", socket.SIOCGIFBRDADDR, ifArg, false, nil, ""},
	{"SIOCGIFHWADDR", socket.SIOCGIFHWADDR, ifArg, false, nil, ""},
	{"SIOCADDMULTI", socket.SIOCADDMULTI, ptr(socket.Ifreq{Name: "lo", HWAddr: make([]byte, 6)}), false, errno.EINVAL, "lo filters nothing; a card does"},
	{"SIOCDELMULTI", socket.SIOCDELMULTI, ptr(socket.Ifreq{Name: "lo", HWAddr: make([]byte, 6)}), false, errno.EINVAL, "lo filters nothing; a card does"},
	{"SIOCSIFHWADDR", socket.SIOCSIFHWADDR, ptr(socket.Ifreq{Name: "lo", HWType: socket.ARPHRD_LOOPBACK, HWAddr: make([]byte, 6)}), false, errno.EOPNOTSUPP, "lo keeps its own; a card's is set"},
	{"SIOCGIFMTU", socket.SIOCGIFMTU, ifArg, false, nil, ""},
	{"SIOCSIFMTU", socket.SIOCSIFMTU, ptr(socket.Ifreq{Name: "lo", MTU: 1500}), false, nil, ""},
	{"SIOCGIFMETRIC", socket.SIOCGIFMETRIC, ifArg, false, nil, "always 0, as on Linux"},
	{"SIOCSIFMETRIC", socket.SIOCSIFMETRIC, ifArg, false, errno.EOPNOTSUPP, "as on Linux"},
	{"SIOCADDRT", socket.SIOCADDRT, ptr(route), false, nil, ""},
	{"SIOCDELRT", socket.SIOCDELRT, ptr(route), false, nil, ""},
	{"SIOCSARP", socket.SIOCSARP, ptr(socket.Arpreq{}), false, errno.EPFNOSUPPORT, "of an address that is not AF_INET's"},
	{"SIOCGARP", socket.SIOCGARP, ptr(socket.Arpreq{}), false, errno.EPFNOSUPPORT, "of an address that is not AF_INET's"},
	{"SIOCDARP", socket.SIOCDARP, ptr(socket.Arpreq{}), false, errno.EPFNOSUPPORT, "of an address that is not AF_INET's"},
	{"SIOCETHTOOL", socket.SIOCETHTOOL, ptr(socket.Ifreq{Name: "lo", Data: &socket.EthtoolStats{}}), false, nil, "ETHTOOL_GLINK and statistics"},
}

var route = socket.Rtentry{
	Dst:     socket.SockaddrInet4([4]byte{10, 9, 0, 0}, 0),
	Genmask: socket.SockaddrInet4([4]byte{255, 255, 0, 0}, 0),
	Flags:   socket.RTF_UP,
	Dev:     "lo",
}

const operationsHead = `// # Operations
//
// What stands for each entry of Linux's tables, and for each ioctl. An entry
// that is absent says why.
`

func entries(b *strings.Builder, title string, list []entry) {
	fmt.Fprintf(b, "//\n// %s:\n//\n", title)
	for _, e := range list {
		at := e.at
		if e.in != nil {
			at = e.in.Name() + "." + e.at
		}
		line := fmt.Sprintf("//\t%-21s %-6s %-34s %s", e.name, e.state, at, e.why)
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// operationTables writes the tables as operations.go has them.
func operationTables() string {
	var b strings.Builder
	b.WriteString(operationsHead)
	entries(&b, "struct proto_ops", protoOps)
	b.WriteString("//\n// The operations that are Linux's sock_no_*, which fail with EOPNOTSUPP:\n//\n")
	for _, n := range noOps {
		line := fmt.Sprintf("//\t%-21s %s", n.table, n.names)
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	entries(&b, "struct proto", protos)
	b.WriteString("//\n// The ioctls, and what a fresh socket of AF_INET answers about lo; every other is ENOTTY:\n//\n")
	for _, i := range ioctls {
		state := works
		if i.want != nil {
			state = i.want.(errno.Errno).Name()
		}
		line := fmt.Sprintf("//\t%-21s %-12s %s", i.name, state, i.why)
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	b.WriteString("package families\n")
	return b.String()
}

// TestOperationsAreDocumented keeps the documentation equal to the tables
// that the tests below hold against the code.
func TestOperationsAreDocumented(t *testing.T) {
	want := operationTables()
	if *update {
		if err := os.WriteFile("operations.go", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("operations.go")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("operations.go is not what the tables say; write it with: go test ./net/families -update")
	}
}

// TestEntriesExist holds that what is said to work is there, and that the
// interfaces have no method that the tables miss.
func TestEntriesExist(t *testing.T) {
	for title, table := range map[string][]entry{"proto_ops": protoOps, "proto": protos} {
		for _, e := range table {
			switch {
			case e.state == works && e.at == "":
				t.Errorf("%s.%s works, and does not say by what", title, e.name)
			case e.state == absent && e.why == "":
				t.Errorf("%s.%s is absent, and does not say why", title, e.name)
			case e.in != nil && !has(e.in, e.at):
				t.Errorf("%s.%s: %v has no %s", title, e.name, e.in, e.at)
			}
		}
	}
	missing := func(in reflect.Type, table []entry, others ...string) {
		for m := range in.Methods() {
			listed := slices.ContainsFunc(table, func(e entry) bool { return e.in == in && e.at == m.Name })
			if !listed && !slices.Contains(others, m.Name) {
				t.Errorf("%v.%s is in no table", in, m.Name)
			}
		}
	}
	missing(reflect.TypeFor[socket.ProtoOps](), protoOps)
	// These stand for fields of struct sock, and for what is not in struct proto on Linux.
	missing(reflect.TypeFor[socket.Proto](), protos, "State", "GetName", "SockError")
}

// has reports whether a type has a method or a field of that name.
func has(in reflect.Type, name string) bool {
	if _, ok := in.MethodByName(name); ok {
		return true
	}
	if in.Kind() == reflect.Struct {
		if _, ok := in.FieldByName(name); ok {
			return true
		}
		_, ok := reflect.PointerTo(in).MethodByName(name)
		return ok
	}
	return false
}

// TestNoOps holds that the operations said to be Linux's sock_no_* are, and
// that no other is.
func TestNoOps(t *testing.T) {
	for _, n := range noOps {
		for _, c := range noOpsCalls {
			want := slices.Contains(strings.Fields(n.names), c.name)
			if got := fails(n.ops, c.call); got != want {
				t.Errorf("%s.%s is EOPNOTSUPP without a look at its socket: %v, want %v", n.table, c.name, got, want)
			}
		}
	}
}

// fails reports whether call returns EOPNOTSUPP without looking at its socket.
func fails(ops socket.ProtoOps, call func(socket.ProtoOps) error) (no bool) {
	defer func() {
		if recover() != nil {
			no = false // it looked, and there is none
		}
	}()
	return call(ops) == errno.EOPNOTSUPP
}

// TestIoctls holds what the table says of each.
func TestIoctls(t *testing.T) {
	task := newTask(t)
	for _, i := range ioctls {
		typ := socket.SOCK_DGRAM
		if i.stream {
			typ = socket.SOCK_STREAM
		}
		fd, err := task.Socket(socket.AF_INET, typ, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := task.Ioctl(fd, i.cmd, i.arg()); err != i.want {
			t.Errorf("%s: %v, want %v", i.name, err, i.want)
		}
		if err := task.Ioctl(fd, 0x89ee, i.arg()); err != errno.ENOTTY {
			t.Errorf("an unknown command with the argument of %s: %v, want ENOTTY", i.name, err)
		}
		if err := task.Close(fd); err != nil {
			t.Fatal(err)
		}
	}
}
