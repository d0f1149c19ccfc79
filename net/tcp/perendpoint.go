package tcp

import (
	"runtime"
	"sync"
	"weak"

	gtcp "gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// perEndpoint has a T for each of some endpoints, which goes with its endpoint. The zero value has none.
type perEndpoint[T any] struct {
	mu sync.Mutex
	m  map[weak.Pointer[gtcp.Endpoint]]*T
	// gone, if set, is called with the T of an endpoint that went, and mu held.
	gone func(*T)
}

// of returns ep's T, with create a new one if there is none, or else nil.
func (p *perEndpoint[T]) of(ep *gtcp.Endpoint, create bool) *T {
	key := weak.Make(ep)
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.m[key]
	if t == nil && create {
		if p.m == nil {
			p.m = make(map[weak.Pointer[gtcp.Endpoint]]*T)
		}
		t = new(T)
		p.m[key] = t
		runtime.AddCleanup(ep, p.drop, key)
	}
	return t
}

func (p *perEndpoint[T]) drop(key weak.Pointer[gtcp.Endpoint]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone != nil {
		p.gone(p.m[key])
	}
	delete(p.m, key)
}
