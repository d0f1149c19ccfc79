package toolchain

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A full disk is real here: a small tmpfs, in a mount namespace of the test's.
func TestFullDiskIsSaidAndLeavesNothing(t *testing.T) {
	if dir := os.Getenv("TAMANET_TEST_TMPFS"); dir != "" {
		require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=20m"))
		_, err := Ensure(t.Context(), Options{Dir: dir})
		require.ErrorIs(t, err, syscall.ENOSPC)
		assert.ErrorContains(t, err, "make room there or set XDG_CACHE_HOME")
		assert.Empty(t, entries(t, dir))
		return
	}
	dir := filepath.Join(t.TempDir(), "small")
	require.NoError(t, os.Mkdir(dir, 0o777))
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), "TAMAGO=", "TAMANET_TEST_TMPFS="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if err != nil && strings.Contains(err.Error(), "operation not permitted") {
		t.Skip("this system gives no user namespaces: ", err)
	}
	require.NoError(t, err, "%s", out)
}
