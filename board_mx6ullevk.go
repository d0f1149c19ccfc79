//go:build tamago && arm && mx6ullevk

package tamanet

import _ "github.com/tamanet/tamanet/board/mx6ullevk"
