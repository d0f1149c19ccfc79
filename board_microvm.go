//go:build tamago && amd64

package tamanet

import _ "github.com/tamanet/tamanet/board/microvm"
