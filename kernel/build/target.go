package build

import (
	"fmt"
	"sort"
	"strings"

	"github.com/tamanet/tamanet/board/microvm"
	"github.com/tamanet/tamanet/board/q35"
	"github.com/tamanet/tamanet/kernel/imx6ul"
)

// module is the path of this module; an appliance imports its root package.
const module = "github.com/tamanet/tamanet"

// goosPackage is the module whose goos folder becomes the runtime's hardware layer (GOOSPKG).
const goosPackage = "github.com/usbarmory/tamago"

// Target says how a kernel is compiled and linked for a board.
type Target struct {
	// Board is the name of the package under board/, and a build tag.
	Board string
	// GOARCH and GOARM are those of the go command; GOARM is empty where it has no meaning.
	GOARCH, GOARM string
	// Tags are further build tags of the board.
	Tags []string
	// Text is the address at which the linker puts the first instruction (-T).
	Text uint64
	// Cmdline is the package variable that a command line can be compiled into, empty where there is none.
	Cmdline string
}

// targets is the one table of what can be built.
var targets = map[string]Target{
	"microvm": {
		Board:  "microvm",
		GOARCH: "amd64",
		Text:   microvm.TextStart,
	},
	"q35": {
		Board:  "q35",
		GOARCH: "amd64",
		Text:   q35.TextStart,
	},
	"mx6ullevk": imx6ulTarget("mx6ullevk"),
	"usbarmory": imx6ulTarget("usbarmory"),
}

// imx6ulTarget returns the target of a board with an i.MX6UL. kernel/imx6ul brings the first instructions.
func imx6ulTarget(board string) Target {
	return Target{Board: board, GOARCH: "arm", GOARM: "7", Tags: []string{"linkcpuinit"}, Text: imx6ul.TextStart,
		Cmdline: module + "/kernel/imx6ul.embedded"}
}

// Boards returns the names of the boards that kernels can be built for, sorted.
func Boards() []string {
	names := make([]string, 0, len(targets))
	for name := range targets {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// LookupTarget returns the target of a board. The error of an unknown one lists those that there are.
func LookupTarget(board string) (Target, error) {
	t, ok := targets[board]
	if !ok {
		return t, fmt.Errorf("board is %q; allowed: %s", board, strings.Join(Boards(), ", "))
	}
	return t, nil
}

// tags returns the value of -tags.
func (t Target) tags(more []string) string {
	return strings.Join(append(append([]string{t.Board}, t.Tags...), more...), ",")
}

// ldflags returns the value of -ldflags. -R keeps segments on page boundaries; -s -w leave out what only a debugger
// reads: the goroutine traces of a panic do not need it.
func (t Target) ldflags(cmdline string) string {
	flags := fmt.Sprintf("-s -w -T %#x -R 0x1000", t.Text)
	if cmdline != "" {
		flags += fmt.Sprintf(" -X '%s=%s'", t.Cmdline, cmdline)
	}
	return flags
}

// checkCmdline says what cannot be compiled in. The go command splits -ldflags at spaces, and knows
// quotes but no way to have a quote within them (go help packages: -ldflags).
func (t Target) checkCmdline(cmdline string) error {
	switch {
	case cmdline == "":
		return nil
	case t.Cmdline == "":
		return fmt.Errorf("board %s takes its command line from its loader: none can be compiled in", t.Board)
	case strings.ContainsAny(cmdline, "'\n\r\x00"):
		return fmt.Errorf("command line is %q; one that is compiled in is one line without a single quote", cmdline)
	}
	return nil
}

// environ returns the variables that make the go command build for t.
func (t Target) environ() []string {
	env := []string{"GOOS=tamago", "GOARCH=" + t.GOARCH, "GOOSPKG=" + goosPackage, "CGO_ENABLED=0"}
	if t.GOARM != "" {
		env = append(env, "GOARM="+t.GOARM)
	}
	return env
}
