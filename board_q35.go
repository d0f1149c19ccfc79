//go:build tamago && amd64 && q35

package tamanet

import _ "github.com/tamanet/tamanet/board/q35"
