package bench

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/cavaliergopher/cpio"
	"github.com/stretchr/testify/require"
)

// That Linux boots it, the end-to-end test shows.
func TestInitramfsHasModulesInLoadingOrder(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	out := filepath.Join(dir, "out.gz")
	size, err := writeInitramfs(out, file("server", "program"), []string{file("z.ko", "first"), file("a.ko", "second")})
	require.NoError(t, err)
	packed, err := os.ReadFile(out)
	require.NoError(t, err)
	require.EqualValues(t, len(packed), size)
	z, err := gzip.NewReader(bytes.NewReader(packed))
	require.NoError(t, err)
	r := cpio.NewReader(z)
	var got []string
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		content, err := io.ReadAll(r)
		require.NoError(t, err)
		got = append(got, h.Mode.String()+" "+h.Name+" "+string(content))
	}
	require.Equal(t, []string{"0100755 init program", "040755 modules ", "0100644 modules/00-z.ko first", "0100644 modules/01-a.ko second"}, got)
}
