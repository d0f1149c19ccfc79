package imx

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// dcds are the boards' DCDs, by the names of their packages and their RAM in MiB. The first is the default.
var dcds = map[string][]struct {
	mib int
	dcd []Write
}{
	"usbarmory": {
		{512, slices.Concat(clocksOn, armoryDDRPins, armoryPins, armory512M)},
		{1024, slices.Concat(clocksOn, armoryDDRPins, armoryPins, armory1G)},
	},
	"mx6ullevk": {
		{512, slices.Concat(clocksOn, evkDDRPins, evkPins, evk512M)},
	},
}

// Boards returns the names of the boards that images can be made for, sorted.
func Boards() []string {
	var names []string
	for name := range dcds {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// DCD returns the DCD of a board with so much RAM in bytes; 0 is what most of them have. The error
// lists what there is.
func DCD(board string, ram uint64) ([]Write, error) {
	models := dcds[board]
	if models == nil {
		return nil, fmt.Errorf("imx: board is %q; images can be made for: %s", board, strings.Join(Boards(), ", "))
	}
	var sizes []string
	for _, m := range models {
		if ram == 0 || ram == uint64(m.mib)<<20 {
			return m.dcd, nil
		}
		sizes = append(sizes, fmt.Sprintf("%dM", m.mib))
	}
	return nil, fmt.Errorf("imx: RAM of board %s is %d MiB; there are models with: %s", board, ram>>20, strings.Join(sizes, ", "))
}
