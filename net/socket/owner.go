package socket

// An Owner is who is told of a socket's readiness: what FIOSETOWN and
// SIOCSPGRP set. Bare metal has no SIGIO; a function is called instead.
type Owner struct {
	// Pid is what FIOGETOWN reads back: a process, or a group if negative.
	Pid int
	// Notify is called with the events that came, on the goroutine that
	// brought them: it must not block, nor call into the socket layer. Nil
	// only keeps the Pid.
	Notify func(events EventMask)
}
