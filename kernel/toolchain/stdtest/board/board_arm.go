//go:build tamago

package board

import _ "github.com/usbarmory/tamago/user/linux"
