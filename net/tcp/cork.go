package tcp

import "github.com/tamanet/tamanet/net/inet"

// TCP_CORK and MSG_MORE keep a segment that is not full from being sent, at
// most for 200 ms: Linux's TCP_NAGLE_CORK. gVisor has only the first, so the
// second turns it on until the next send without it.

// hold begins a send with MSG_MORE.
func (t *sock) hold(ep *inet.Endpoint) {
	if so := ep.SocketOptions(); !so.GetCorkOption() {
		t.held.Store(true)
		so.SetCorkOption(true)
	}
}

// push ends what hold began, after more was sent (tcp_push).
func (t *sock) push(ep *inet.Endpoint) {
	if t.held.Swap(false) && !t.extra.cork.Load() {
		ep.SocketOptions().SetCorkOption(false)
	}
}

// uncork lets everything go before a FIN (tcp_send_fin).
func uncork(ep *inet.Endpoint) {
	if so := ep.SocketOptions(); so.GetCorkOption() {
		so.SetCorkOption(false)
	}
}

// pushOnce sends what is held and goes on holding, as TCP_NODELAY does
// (__tcp_sock_set_nodelay).
func pushOnce(ep *inet.Endpoint) {
	if so := ep.SocketOptions(); so.GetCorkOption() {
		so.SetCorkOption(false)
		so.SetCorkOption(true)
	}
}
