//go:build tamago && arm && usbarmory

package tamanet

import _ "github.com/tamanet/tamanet/board/usbarmory"
