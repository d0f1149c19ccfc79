package stdtest

import (
	_ "embed"
	"fmt"
	"strings"
)

// Packages returns the patterns of the packages whose tests are run on a
// processor: on arm, which is emulated and slow, those that are near to the
// machine and do not compute for long.
func Packages(arch string) []string {
	if arch == "arm" {
		return []string{
			"bytes", "errors", "fmt", "internal/bytealg", "internal/runtime/...", "math", "math/bits", "reflect",
			"strconv", "strings", "sync", "sync/atomic", "syscall", "time", "os/signal",
		}
	}
	return []string{
		"errors", "fmt", "strconv", "strings", "bytes", "bufio", "sort", "slices", "maps", "cmp", "iter", "unique", "weak",
		"math", "math/...", "container/...", "sync", "sync/...", "time", "context", "io", "io/...",
		"os", "os/signal", "path", "path/...", "encoding/...", "compress/...", "archive/...", "crypto/...", "hash/...",
		"log", "log/...", "flag", "html", "html/template", "index/suffixarray", "mime", "mime/...",
		"net/netip", "net/url", "net/textproto", "net/mail",
		"reflect", "regexp", "regexp/...", "text/...", "unicode/...",
		"runtime", "runtime/debug", "runtime/metrics", "internal/bytealg", "internal/runtime/...", "syscall", "testing", "testing/...",
	}
}

// Concurrent returns the patterns of the packages whose tests are run with several
// processors too.
func Concurrent() []string {
	return []string{"runtime", "sync", "sync/atomic", "time", "context"}
}

//go:embed skips.txt
var skipsText string

// skip says what of a package is left out, and why.
type skip struct {
	all   string // the reason to leave the whole package out, or empty
	tests []skippedTest
}

type skippedTest struct{ name, reason string }

// pattern is for the flag -test.skip.
func (s skip) pattern() string {
	var names []string
	for _, t := range s.tests {
		names = append(names, t.name)
	}
	if names == nil {
		return ""
	}
	return "^(" + strings.Join(names, "|") + ")$"
}

// parseSkips parses skips.txt: its comment describes the format.
func parseSkips(text, arch string) (map[string]skip, error) {
	skips := make(map[string]skip)
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		f := strings.SplitN(line, " ", 3)
		if len(f) < 3 {
			return nil, fmt.Errorf("skips.txt:%d: want a package, a test and a reason", i+1)
		}
		path, only, _ := strings.Cut(f[0], "@")
		if only != "" && only != arch {
			continue
		}
		s := skips[path]
		if f[1] == "*" {
			s.all = f[2]
		} else {
			s.tests = append(s.tests, skippedTest{f[1], f[2]})
		}
		skips[path] = s
	}
	return skips, nil
}
