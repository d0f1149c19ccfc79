package netdev

// Generic returns what the caller keeps for each network under key, a type or
// pointer of its own; make is called for the first time. It is Linux's
// net_generic: how a family has, for instance, a table of names a network.
// make may run more than once at the same time; one result is kept.
func (s *Stack) Generic(key any, make func() any) any {
	if v, ok := s.generic.Load(key); ok {
		return v
	}
	v, _ := s.generic.LoadOrStore(key, make())
	return v
}
