package virtionet

import "time"

// SetControlTimeout shortens the wait for answers to commands.
func (d *Device) SetControlTimeout(t time.Duration) {
	d.ctrl.mu.Lock()
	defer d.ctrl.mu.Unlock()
	d.ctrl.timeout = t
}

// SetTxDelay changes how long sent frames may wait to be taken back. Call it before Start.
func (d *Device) SetTxDelay(t time.Duration) { d.txDelay = t }
