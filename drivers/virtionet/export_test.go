package virtionet

import "time"

// SetControlTimeout shortens the wait for answers to commands.
func (d *Device) SetControlTimeout(t time.Duration) {
	d.ctrl.mu.Lock()
	defer d.ctrl.mu.Unlock()
	d.ctrl.timeout = t
}
