package socket

// Close closes the descriptor (Linux sys_close). Calls that are inside it
// return EBADF at once unless a duplicate keeps the socket open. With the
// last descriptor gone the socket is released: what was sent is still
// delivered in the background, or SO_LINGER decides; with that option and a
// time, Close blocks as long. EBADF.
func (t *Task) Close(fd int) error {
	f, err := t.fds.remove(fd)
	if err != nil {
		return err
	}
	f.dropDescriptor()
	return f.put()
}

// Exit closes all descriptors.
func (t *Task) Exit() {
	slots := t.fds.slots.Load()
	if slots == nil {
		return
	}
	for fd := range *slots {
		t.Close(fd)
	}
}
