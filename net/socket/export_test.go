package socket

import "github.com/tamanet/tamanet/net/netdev"

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

// RememberHolder has a network ask h, as it asks those of protocols.
func RememberHolder(net *netdev.Stack, h MemoryHolder) { memoryOf(net).remember(h) }
