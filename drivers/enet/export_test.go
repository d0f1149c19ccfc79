package enet

// AskLink has the PHY asked now, for tests that do not wait for the timer.
func (d *Device) AskLink() { d.askLink() }
