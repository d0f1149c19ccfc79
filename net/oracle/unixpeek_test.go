//go:build linux

package oracle

import "github.com/tamanet/tamanet/net/socket"

// unixPeekScenarios are those of SO_PEEK_OFF: MSG_PEEK goes on where it ended,
// over the borders of messages on a stream and from one to the next otherwise.
func unixPeekScenarios() []scenario {
	const peek = socket.MSG_PEEK | socket.MSG_DONTWAIT
	look := func(r *unixRun, fd int) { r.GetOpt(fd, socket.SOL_SOCKET, socket.SO_PEEK_OFF, 4) }
	set := func(r *unixRun, fd, v int) { r.SetInt(fd, socket.SOL_SOCKET, socket.SO_PEEK_OFF, v) }
	list := unixTypes("SO_PEEK_OFF/across messages", allTypes, func(r *unixRun, typ int) {
		a, b := r.pair(typ)
		for _, text := range []string{"0123456789", "", "abcdef", "XYZ"} {
			r.Send(a, text, 0)
		}
		look(r, b)
		set(r, b, 0)
		for range 7 {
			r.RecvMsg(b, peek, 4)
			look(r, b)
		}
		set(r, b, 3)
		r.RecvMsg(b, peek, 100)
		look(r, b)
		r.RecvMsg(b, socket.MSG_DONTWAIT, 5)
		look(r, b)
		r.RecvMsg(b, peek, 5)
		look(r, b)
		set(r, b, 100)
		r.RecvMsg(b, peek, 5)
		r.RecvMsg(b, socket.MSG_DONTWAIT, 5)
		look(r, b)
		set(r, b, -1)
		r.RecvMsg(b, peek, 5)
		look(r, b)
		for range 5 {
			r.RecvMsg(b, socket.MSG_DONTWAIT, 5)
		}
		look(r, b)
	})
	list = append(list, unixTypes("SO_PEEK_OFF/whole lengths", allTypes, func(r *unixRun, typ int) {
		a, b := r.pair(typ)
		r.Send(a, "0123456789", 0)
		r.Send(a, "abc", 0)
		set(r, b, 2)
		for range 4 {
			r.RecvMsg(b, peek|socket.MSG_TRUNC, 4)
			look(r, b)
		}
		r.RecvMsg(b, socket.MSG_DONTWAIT|socket.MSG_TRUNC, 4)
		look(r, b)
	})...)
	return append(list, unixTypes("SO_PEEK_OFF/behind all that waits", allTypes, func(r *unixRun, typ int) {
		a, b := r.pair(typ)
		set(r, b, 4)
		r.Send(a, "abcd", 0)
		r.RecvMsg(b, peek, 8)
		join := r.async(func(r *run) { r.RecvMsg(b, socket.MSG_PEEK, 8) })
		r.Send(a, "efgh", 0)
		join()
		look(r, b)
		r.Close(a)
		r.RecvMsg(b, peek, 8)
		r.RecvMsg(b, socket.MSG_DONTWAIT, 8)
		look(r, b)
	})...)
}
