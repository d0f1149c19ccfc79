//go:build !linux

package bench

import (
	"context"
	"errors"
	"os"
	"os/exec"
)

const tapName = "tap0"

var errNoTap = errors.New("tap interfaces are known on Linux only; use --net=" + NetUser)

// Namespaced is for Linux only.
func Namespaced(context.Context, []string) (*exec.Cmd, error) { return nil, errNoTap }

func makeTap() error { return errNoTap }

func openTap() (*os.File, error) { return nil, errNoTap }
