package socket

import (
	"sync"
	"time"

	"github.com/tamanet/tamanet/net/netdev"
)

// ForgetNotices makes the next notice be said, however recent the last was.
func ForgetNotices() {
	open.Lock()
	open.noticed = time.Time{}
	open.Unlock()
}

// ForgetPacketNotice makes the notice about SOCK_PACKET be said once more.
func ForgetPacketNotice() { packetOnce = sync.Once{} }

// RememberHolder has a network ask h, as it asks those of protocols.
func RememberHolder(net *netdev.Stack, h MemoryHolder) { memoryOf(net).remember(h) }
