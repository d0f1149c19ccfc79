//go:build linux

package oracle

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/tamanet/tamanet/net/socket"
)

// A queueOp is one step on a pair: n is a size, an offset or a switch.
type queueOp struct {
	op byte
	n  int
}

// queueScript reads steps written as letters with a number each:
//
//	s send   o send, the last byte urgent   r receive    p peek
//	u receive the urgent byte   v peek at it   w receive with MSG_WAITALL
//	i SO_OOBINLINE   k SO_PEEK_OFF   l SO_RCVLOWAT   c close the sender
//	h shut the sender's writing down
func queueScript(text string) (ops []queueOp) {
	for _, word := range strings.Fields(text) {
		op := queueOp{op: word[0]}
		fmt.Sscan(word[1:], &op.n)
		ops = append(ops, op)
	}
	return ops
}

// queueSteps makes the steps, and after each looks at what a reader can see.
func queueSteps(r *unixRun, a, b int, ops []queueOp) {
	next := 0
	text := func(n int) string {
		var s strings.Builder
		for range n {
			s.WriteByte('a' + byte(next%26))
			next++
		}
		return s.String()
	}
	const now = socket.MSG_DONTWAIT
	closed := false
	for _, o := range ops {
		switch o.op {
		case 's':
			if !closed {
				r.Send(a, text(o.n), now)
			}
		case 'o':
			if !closed {
				r.Send(a, text(o.n), now|socket.MSG_OOB)
			}
		case 'r':
			r.RecvMsg(b, now, o.n)
		case 'p':
			r.RecvMsg(b, now|socket.MSG_PEEK, o.n)
		case 'w':
			r.RecvMsg(b, now|socket.MSG_WAITALL, o.n)
		case 'u':
			r.RecvMsg(b, now|socket.MSG_OOB, o.n)
		case 'v':
			r.RecvMsg(b, now|socket.MSG_OOB|socket.MSG_PEEK, o.n)
		case 'i':
			r.SetInt(b, socket.SOL_SOCKET, socket.SO_OOBINLINE, o.n)
		case 'k':
			r.SetInt(b, socket.SOL_SOCKET, socket.SO_PEEK_OFF, o.n)
		case 'l':
			r.SetInt(b, socket.SOL_SOCKET, socket.SO_RCVLOWAT, o.n)
		case 'h':
			if !closed {
				r.Shutdown(a, socket.SHUT_WR)
			}
		case 'c':
			if !closed {
				r.Close(a)
				closed = true
			}
		}
		r.Ioctl(b, socket.SIOCATMARK, new(int))
		r.FionRead(b)
		r.pollNow(b)
		r.GetOpt(b, socket.SOL_SOCKET, socket.SO_PEEK_OFF, 4)
	}
	if !closed {
		r.outq(a)
	}
}

// queueEnd closes the reader, and looks at what the sender learns of it.
func queueEnd(r *unixRun, a, b int) {
	r.Close(b)
	r.Recv(a, 1, socket.MSG_DONTWAIT)
}

var urgentScripts = []string{
	"o1 r1", "o1 u1 r1", "o1 v1 u1 u1 r1", "o5 r10 r10", "o5 r10 u1 r10", "o5 u1 r10 r10",
	"s3 o1 s3 r10 r10 r10", "s3 o1 s3 u1 r10 r10", "s3 o1 s3 r3 r3 r3", "s3 o1 s3 r3 u1 r3",
	"o1 o1 r10 r10", "o1 u1 o1 r10 r10", "o1 u1 o1 u1 r10", "o1 u1 s3 r10", "o3 o3 u1 r10 r10",
	"i1 o3 r10 r10", "i1 o3 u1 r10", "o3 i1 r10 r10", "i1 s3 o2 s3 r10 r10 r10", "o3 u1 i1 r10", "i1 o1 p10 r10",
	"o3 p10 p10 r10", "o1 p10 r10", "o1 s3 p10 r10", "o1 u1 p10 r10", "o1 u1 s3 p10 r10", "s3 o3 p2 p10 r2 r10",
	"o0", "u1", "s3 u1", "o1 u0 r1", "o1 v0 u1", "o1 u1 c r1", "o1 c r1", "o1 u1 h r1", "o3 h r10 r10 r10",
	"o1 u1 o1 u1 o1 u1 s2 r10", "o2 w10 w10", "s2 o1 w10 s2 w10", "l4 s2 r10 s3 r10", "l4 o2 r10 s3 r10",
}

var peekScripts = []string{
	"k0 s3 p2 p2 p2 r1 p9", "k0 s3 s3 s3 p2 p9 p9", "k4 s3 s3 p9 p9 r4 p9", "k0 s5 p2 r3 p9", "k-1 s3 p2 p2",
	"k100 s3 p9 s3 p9", "k3 s3 p9", "k3 s3 s2 p9 p9", "k0 s3 p3 h p3 r9 p9", "k2 s5 o1 s5 p9 p9 p9", "k0 o1 p9 s2 p9",
	"k0 o3 u1 s3 p9 p9", "k1 s3 w3 p9", "s3 k1 p9 k0 p9 k-1 p9 p9", "k0 s0 p9 s0 s2 p9 p9 p9 r9 r9 r9", "k0 s2 s0 s2 p9 p9 p9 p9",
}

// unixQueueScenarios are of MSG_OOB and SO_PEEK_OFF: what Linux's manage_oob
// and its like do with each order of sending and receiving.
func unixQueueScenarios() (list []scenario) {
	add := func(typ int, label, script string) {
		list = append(list, unixScenario(label+script, func(r *unixRun) {
			a, b := r.pair(typ)
			queueSteps(r, a, b, queueScript(script))
			queueEnd(r, a, b)
		}))
	}
	list = append(list, unixBlockedUrgentScenarios()...)
	for _, s := range urgentScripts {
		add(stream, "queue/urgent/stream/", s)
	}
	for _, s := range []string{"o1 r1 u1", "s0 r1", "s2 s0 r9 r9"} {
		add(dgram, "queue/urgent/dgram/", s)
		add(socket.SOCK_SEQPACKET, "queue/urgent/seqpacket/", s)
	}
	for _, s := range peekScripts {
		add(stream, "queue/peek off/stream/", s)
		add(dgram, "queue/peek off/dgram/", s)
		add(socket.SOCK_SEQPACKET, "queue/peek off/seqpacket/", s)
	}
	for seed := range uint64(100) {
		name := fmt.Sprintf("random/%d", seed)
		list = append(list, unixScenario("queue/urgent/"+name, func(r *unixRun) {
			a, b := r.pair(stream)
			queueSteps(r, a, b, randomQueueOps(seed, "ssooorrppuuvwil"))
			queueEnd(r, a, b)
		}))
		list = append(list, unixScenario("queue/peek off/"+name, func(r *unixRun) {
			a, b := r.pair([]int{stream, dgram, socket.SOCK_SEQPACKET}[seed%3])
			queueSteps(r, a, b, randomQueueOps(seed, "sssorrppppuk"))
			queueEnd(r, a, b)
		}))
	}
	return list
}

// randomQueueOps draws steps of those kinds, the same ones for a seed.
func randomQueueOps(seed uint64, kinds string) (ops []queueOp) {
	d := rand.New(rand.NewPCG(seed, 7))
	for range 16 {
		o := queueOp{op: kinds[d.IntN(len(kinds))], n: d.IntN(6)}
		switch o.op {
		case 'i':
			o.n &= 1
		case 'k':
			o.n--
		case 'r', 'p', 'u', 'v', 'w':
			o.n = max(o.n, 1)
		}
		ops = append(ops, o)
	}
	return ops
}

// unixBlockedUrgentScenarios are of receives that wait.
func unixBlockedUrgentScenarios() (list []scenario) {
	blocked := func(name, before string, size, flags int, sends ...string) {
		list = append(list, unixScenario("queue/urgent/blocked/"+name, func(r *unixRun) {
			a, b := r.pair(stream)
			queueSteps(r, a, b, queueScript(before))
			join := r.async(func(r *run) { r.RecvMsg(b, flags, size) })
			for _, s := range sends {
				r.Send(a, s, 0)
			}
			join()
			r.RecvMsg(b, socket.MSG_DONTWAIT, 9)
		}))
	}
	blocked("behind a mark", "o1 u1", 9, 0, "next")
	blocked("peek behind a mark", "o1 u1", 9, socket.MSG_PEEK, "next")
	blocked("peek at an offset that is not there yet", "k3 s3", 9, socket.MSG_PEEK, "more")
	blocked("below SO_RCVLOWAT", "l6 s2", 9, 0, "more")
	blocked("peek with MSG_WAITALL", "s2", 9, socket.MSG_PEEK|socket.MSG_WAITALL)
	blocked("urgent byte alone", "", 9, 0, "x")
	return list
}
