//go:build tamago

package microvm

import _ "github.com/tamanet/tamanet/kernel/amd64" // boots the processor
