//go:build tamago && amd64

package microvm

import "github.com/tamanet/tamanet/board/internal/pc"

// init finds out what is in the machine and registers it.
func init() { pc.Register("microvm", probe) }
