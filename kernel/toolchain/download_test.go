package toolchain

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The first build on a machine finds no module downloaded yet, the one of
// GOOSPKG among them.
func TestGOOSPKGIsDownloaded(t *testing.T) {
	cmd, err := Ensure(t.Context(), Options{Progress: os.Stderr})
	require.NoError(t, err)

	// What was downloaded before serves as the proxy, so that the test needs none.
	out, err := exec.Command("go", "mod", "download", "-json", GOOSPKG).CombinedOutput()
	require.NoError(t, err, "%s", out)
	out, err = exec.Command("go", "env", "GOMODCACHE").Output()
	require.NoError(t, err)
	proxy := filepath.Join(strings.TrimSpace(string(out)), "cache", "download")

	mods := t.TempDir()
	list := exec.Command(cmd, "list", "-f", "{{.Dir}}", "runtime/goos")
	list.Env = append(os.Environ(), "GOOS=tamago", "GOARCH=amd64", "GOTOOLCHAIN=local", "GOOSPKG="+GOOSPKG,
		"GOMODCACHE="+mods, "GOPROXY=file://"+filepath.ToSlash(proxy), "GOFLAGS=-modcacherw")
	out, err = list.CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Contains(t, string(out), mods)
	assert.FileExists(t, filepath.Join(strings.TrimSpace(lastLine(string(out))), "goos.go"))
}

// lastLine returns the last line of s, which may end in a newline.
func lastLine(s string) string {
	s = strings.TrimRight(s, "\n")
	return s[strings.LastIndexByte(s, '\n')+1:]
}
