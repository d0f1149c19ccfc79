package socket

import (
	"sync"
	"time"
)

// ForgetNotices makes the next notice be said, however recent the last was.
func ForgetNotices() {
	open.Lock()
	open.noticed = time.Time{}
	open.Unlock()
}

// ForgetPacketNotice makes the notice about SOCK_PACKET be said once more.
func ForgetPacketNotice() { packetOnce = sync.Once{} }
