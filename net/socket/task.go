package socket

import "github.com/tamanet/tamanet/net/netdev"

// A Task is a caller of sockets: its network, its privileges and its open
// descriptors. It is what Linux finds in current. All methods may be called
// from several goroutines at once.
type Task struct {
	// Net is the network in which the task's sockets are made.
	Net *netdev.Stack
	// Caps are the task's privileges. They are not changed while it calls.
	Caps Caps
	// Cred is who the task is to the peers of its AF_UNIX sockets. It is not
	// changed while the task calls.
	Cred Ucred

	fds fdTable
}

// NewTask returns a task in net with all privileges, as there is only one
// program on bare metal, and no descriptors.
func NewTask(net *netdev.Stack) *Task {
	return &Task{Net: net, Caps: CAP_FULL_SET, Cred: Ucred{Pid: 1}}
}

// Capable reports whether the task has the privilege c.
func (t *Task) Capable(c Caps) bool { return t.Caps&c != 0 }

// Caps is a set of privileges. The bits are in the order of Linux's numbers
// (include/uapi/linux/capability.h).
type Caps uint64

// The privileges that sockets ask for.
const (
	CAP_NET_BIND_SERVICE Caps = 1 << 10
	CAP_NET_BROADCAST    Caps = 1 << 11
	CAP_NET_ADMIN        Caps = 1 << 12
	CAP_NET_RAW          Caps = 1 << 13

	CAP_FULL_SET = CAP_NET_BIND_SERVICE | CAP_NET_BROADCAST | CAP_NET_ADMIN | CAP_NET_RAW
)
