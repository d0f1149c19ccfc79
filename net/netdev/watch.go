package netdev

// Generation is a number that grows with every change of interfaces,
// addresses and routes that is made through s, and of whether packets are
// watched. What was looked up holds for as long as it stays the same.
func (s *Stack) Generation() uint64 { return s.generation.Load() }

// Watch says that from now on somebody sees, changes or drops packets on
// their way: a packet socket, a raw socket, a filter. Until as many calls of
// Unwatch, datagrams between two sockets of this machine go the whole way
// through the stack.
func (s *Stack) Watch() {
	s.watchers.Add(1)
	s.generation.Add(1)
}

// Unwatch takes back a Watch.
func (s *Stack) Unwatch() {
	s.watchers.Add(-1)
	s.generation.Add(1)
}

// Watched reports whether somebody watches packets. Read Generation before.
func (s *Stack) Watched() bool { return s.watchers.Load() > 0 }

// changed notes a change, whether or not it came about.
func (s *Stack) changed() { s.generation.Add(1) }
