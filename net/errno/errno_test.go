package errno

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
)

// gvisorErrors lists the types of gVisor's errors.go, the exported ones that
// have the marker method isError.
func gvisorErrors(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", "{{.Dir}}", "gvisor.dev/gvisor/pkg/tcpip").Output()
	if err != nil {
		t.Fatalf("finding gVisor's source: %v", err)
	}
	file := filepath.Join(strings.TrimSpace(string(out)), "errors.go")
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Name.Name != "isError" || fn.Recv == nil {
			continue
		}
		star, ok := fn.Recv.List[0].Type.(*ast.StarExpr)
		if !ok {
			t.Fatalf("%s: isError on a value", file)
		}
		names = append(names, star.X.(*ast.Ident).Name)
	}
	return names
}

// translated lists the types that the switch of fromTCPIP names.
func translated(t *testing.T) map[string]bool {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "tcpip.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		c, ok := n.(*ast.CaseClause)
		if !ok {
			return true
		}
		for _, e := range c.List {
			sel := e.(*ast.StarExpr).X.(*ast.SelectorExpr).Sel.Name
			if seen[sel] {
				t.Errorf("%s stands twice", sel)
			}
			seen[sel] = true
		}
		return true
	})
	return seen
}

func TestEveryGVisorErrorIsTranslated(t *testing.T) {
	have := translated(t)
	want := gvisorErrors(t)
	if len(want) < 40 {
		t.Fatalf("found only %d errors in gVisor's source", len(want))
	}
	for _, name := range want {
		if !have[name] {
			t.Errorf("tcpip.%s has no translation", name)
		}
	}
	if len(have) != len(want) {
		t.Errorf("%d translations for %d errors", len(have), len(want))
	}
}

func TestFromTCPIP(t *testing.T) {
	if err := FromTCPIP(nil); err != nil {
		t.Errorf("FromTCPIP(nil) = %v", err)
	}
	for _, c := range []struct {
		in   tcpip.Error
		want Errno
	}{
		{&tcpip.ErrConnectionRefused{}, ECONNREFUSED},
		{&tcpip.ErrWouldBlock{}, EAGAIN},
		{&tcpip.ErrPortInUse{}, EADDRINUSE},
		{&tcpip.ErrBadLocalAddress{}, EADDRNOTAVAIL},
		{&tcpip.ErrBroadcastDisabled{}, EACCES},
	} {
		if got := FromTCPIP(c.in); got != c.want {
			t.Errorf("%T: got %v, want %v", c.in, got, c.want)
		}
	}
}

// TestLinuxTable holds numbers, names and texts against the ones of the Linux
// that runs the test.
func TestLinuxTable(t *testing.T) {
	for n := 1; n < len(texts); n++ {
		e := Errno(n)
		if texts[n] == "" {
			continue
		}
		if got := syscall.Errno(n).Error(); got != e.Error() {
			t.Errorf("%s (%d): text %q, Linux has %q", e.Name(), n, e.Error(), got)
		}
		if names[n] == "" {
			t.Errorf("errno %d has a text and no name", n)
		}
	}
	for _, p := range syscallPairs {
		if int(p.e) != int(p.s) {
			t.Errorf("%s is %d, Linux has %d", p.e.Name(), p.e, p.s)
		}
		if !errors.Is(p.e, p.s) {
			t.Errorf("%s is not syscall's", p.e.Name())
		}
	}
	if got := Errno(200).Error(); got != "errno 200" {
		t.Errorf("unknown number reads %q", got)
	}
}

func TestKinds(t *testing.T) {
	for _, c := range []struct {
		err    error
		target error
		want   bool
	}{
		{EACCES, fs.ErrPermission, true},
		{EPERM, fs.ErrPermission, true},
		{ENOENT, fs.ErrNotExist, true},
		{EEXIST, fs.ErrExist, true},
		{EOPNOTSUPP, errors.ErrUnsupported, true},
		{ECONNREFUSED, fs.ErrPermission, false},
		{ECONNREFUSED, syscall.ECONNREFUSED, true},
		{ECONNREFUSED, syscall.ECONNRESET, false},
	} {
		if got := errors.Is(c.err, c.target); got != c.want {
			t.Errorf("errors.Is(%v, %v) = %v", c.err, c.target, got)
		}
	}
	var ne net.Error
	if !errors.As(error(ETIMEDOUT), &ne) || !ne.Timeout() {
		t.Error("ETIMEDOUT is not a net.Error timeout")
	}
	if ECONNRESET.Timeout() || !EMFILE.Temporary() {
		t.Error("Timeout or Temporary is wrong")
	}
}

func TestConversionDoesNotAllocate(t *testing.T) {
	var sink error
	e := ECONNREFUSED
	if n := testing.AllocsPerRun(100, func() { sink = e }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	_ = sink
}
