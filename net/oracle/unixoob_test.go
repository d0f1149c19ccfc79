//go:build linux

package oracle

import (
	"fmt"

	"github.com/tamanet/tamanet/net/socket"
)

// unixUrgentScenarios are those of MSG_OOB: a stream's urgent byte, apart and
// inline, received, passed by, replaced and left behind.
func unixUrgentScenarios() (list []scenario) {
	const (
		oob  = socket.MSG_OOB
		now  = socket.MSG_DONTWAIT
		peek = socket.MSG_PEEK
	)
	add := func(name string, f func(r *unixRun, a, b int)) {
		for _, inline := range []int{0, 1} {
			list = append(list, unixTypes(fmt.Sprintf("urgent/%s/inline %d", name, inline), []int{stream}, func(r *unixRun, typ int) {
				a, b := r.pair(typ)
				r.SetInt(b, socket.SOL_SOCKET, socket.SO_OOBINLINE, inline)
				f(r, a, b)
			})...)
		}
	}
	state := func(r *unixRun, fd int) {
		r.Ioctl(fd, socket.SIOCATMARK, new(int))
		r.pollNow(fd)
	}
	drain := func(r *unixRun, fd int) {
		for range 5 {
			r.RecvMsg(fd, now, 100)
			state(r, fd)
		}
	}
	add("alone", func(r *unixRun, a, b int) {
		state(r, b)
		r.RecvMsg(b, oob, 1)
		r.Send(a, "x", oob)
		r.outq(a)
		state(r, b)
		r.RecvMsg(b, oob|peek, 1)
		state(r, b)
		r.RecvMsg(b, oob, 1)
		state(r, b)
		r.RecvMsg(b, oob, 1)
		r.outq(a)
		drain(r, b)
		r.outq(a)
	})
	add("at the end of data", func(r *unixRun, a, b int) {
		r.Send(a, "hello", oob)
		state(r, b)
		r.RecvMsg(b, oob, 1)
		drain(r, b)
	})
	add("amid data", func(r *unixRun, a, b int) {
		r.Send(a, "abc", 0)
		r.Send(a, "x", oob)
		r.Send(a, "def", 0)
		drain(r, b)
	})
	add("amid data, taken first", func(r *unixRun, a, b int) {
		r.Send(a, "abc", 0)
		r.Send(a, "x", oob)
		r.Send(a, "def", 0)
		r.RecvMsg(b, oob, 4)
		state(r, b)
		drain(r, b)
	})
	add("looked at", func(r *unixRun, a, b int) {
		r.Send(a, "abc", 0)
		r.Send(a, "x", oob)
		r.Send(a, "def", 0)
		for _, n := range []int{2, 3, 4, 100} {
			r.RecvMsg(b, peek|now, n)
		}
		r.RecvMsg(b, now, 3)
		for _, n := range []int{2, 100} {
			r.RecvMsg(b, peek|now, n)
		}
		r.RecvMsg(b, oob, 1)
		for _, n := range []int{2, 100} {
			r.RecvMsg(b, peek|now, n)
		}
		drain(r, b)
	})
	add("passed by", func(r *unixRun, a, b int) {
		r.Send(a, "x", oob)
		r.RecvMsg(b, now, 10)
		state(r, b)
		r.RecvMsg(b, oob, 1)
		r.Send(a, "y", 0)
		drain(r, b)
	})
	add("replaced", func(r *unixRun, a, b int) {
		r.Send(a, "ab", oob)
		r.Send(a, "cd", oob)
		state(r, b)
		r.RecvMsg(b, oob, 1)
		r.RecvMsg(b, oob, 1)
		drain(r, b)
	})
	add("one mark after another", func(r *unixRun, a, b int) {
		for range 3 {
			r.Send(a, "x", oob)
			r.RecvMsg(b, oob, 1)
			state(r, b)
		}
		r.Send(a, "tail", 0)
		drain(r, b)
	})
	add("no room for it", func(r *unixRun, a, b int) {
		r.Send(a, "x", oob)
		r.RecvMsg(b, oob, 0)
		state(r, b)
		r.Send(a, "", oob)
		drain(r, b)
	})
	add("waited for", func(r *unixRun, a, b int) {
		join := r.async(func(r *run) { r.RecvMsg(b, 0, 10) })
		r.Send(a, "x", oob)
		r.Send(a, "data", 0)
		join()
		drain(r, b)
	})
	add("counted", func(r *unixRun, a, b int) {
		r.Send(a, "abc", oob)
		r.Inq(b)
		r.RecvMsg(b, now, 2)
		r.Inq(b)
		r.RecvMsg(b, oob, 1)
		r.Inq(b)
	})
	add("counted when passed by", func(r *unixRun, a, b int) {
		r.Send(a, "x", oob)
		r.RecvMsg(b, now, 10)
		r.Inq(b)
	})
	add("left behind", func(r *unixRun, a, b int) {
		r.Send(a, "x", oob)
		r.Close(b)
		r.SockErr(a)
		r.Recv(a, 1, 0)
	})
	add("mark left behind", func(r *unixRun, a, b int) {
		r.Send(a, "x", oob)
		r.RecvMsg(b, oob, 1)
		r.Close(b)
		r.SockErr(a)
		r.Recv(a, 1, 0)
	})
	add("after the peer has gone", func(r *unixRun, a, b int) {
		r.Send(a, "abc", oob)
		r.Close(a)
		r.RecvMsg(b, oob, 1)
		drain(r, b)
	})
	add("turned inline", func(r *unixRun, a, b int) {
		r.Send(a, "x", oob)
		r.SetInt(b, socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
		r.RecvMsg(b, oob, 1)
		state(r, b)
		drain(r, b)
	})
	return append(list, unixTypes("urgent/other types", []int{dgram, seqpacket}, func(r *unixRun, typ int) {
		a, b := r.pair(typ)
		r.Send(a, "x", oob)
		r.RecvMsg(b, oob, 1)
		state(r, b)
		r.Send(a, "", 0)
		state(r, b)
		r.Send(a, "x", 0)
		state(r, b)
		r.Close(b)
		r.SockErr(a)
	})...)
}
