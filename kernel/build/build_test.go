package build

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// These tests build for the host with the host's own go command: all but the target is what a kernel's build does.

// tree writes files into a new folder and returns it. Names are slash-separated paths.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// clone is a tamanet of the barest kind: its root package brings the board of the build tag.
func clone(t *testing.T) string {
	return tree(t, map[string]string{
		"go.mod":                 "module " + module + "\n\ngo 1.25\n",
		"tamanet.go":             "package tamanet\n\nimport _ \"" + module + "/board/microvm\"\n\nconst Greeting = \"up\"\n",
		"board/microvm/board.go": "//go:build microvm\n\npackage microvm\n",
		"app/demo/main.go":       appliance,
	})
}

const appliance = "package main\n\nimport \"" + module + "\"\n\nfunc main() { println(tamanet.Greeting) }\n"

// hostBuild is Build for the host. It runs in the folder wd.
func hostBuild(t *testing.T, wd string, o Options) (Artifact, error) {
	t.Helper()
	goCmd, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go command in PATH")
	}
	t.Chdir(wd)
	if o.Go == "" {
		o.Go = goCmd
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	b, err := newBuilder(o)
	if err != nil {
		t.Fatal(err)
	}
	b.env, b.cache = []string{"CGO_ENABLED=0"}, t.TempDir()
	return b.build(ctx)
}

// says runs a built program and returns what it prints.
func says(t *testing.T, a Artifact) string {
	t.Helper()
	out, err := exec.Command(a.Path).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", a.Path, err, out)
	}
	return string(out)
}

func TestBuildInTheClone(t *testing.T) {
	root := clone(t)
	for _, app := range []string{"app/demo", "./app/demo/", filepath.Join(root, "app/demo"), module + "/app/demo"} {
		a, err := hostBuild(t, root, Options{App: app})
		if err != nil {
			t.Fatalf("%s: %v", app, err)
		}
		if a.Package != module+"/app/demo" || a.Size == 0 || says(t, a) != "up\n" {
			t.Errorf("%s: got %+v, which says %q", app, a, says(t, a))
		}
	}
}

func TestBuildOfAnotherModule(t *testing.T) {
	root := clone(t)
	tests := map[string]string{
		"that requires and replaces tamanet":        "module example.com/a\n\ngo 1.25\n\nrequire " + module + " v0.0.0\n\nreplace " + module + " => " + root + "\n",
		"that does not know tamanet":                "module example.com/a\n\ngo 1.25\n",
		"that requires a version not to be had":     "module example.com/a\n\ngo 1.25\n\nrequire " + module + " v0.0.0\n",
		"that has neither go nor require in go.mod": "module example.com/a\n",
	}
	for name, gomod := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv("GOPROXY", "off")
			t.Setenv("GOFLAGS", "")
			app := tree(t, map[string]string{"go.mod": gomod, "cmd/x/main.go": appliance})
			a, err := hostBuild(t, root, Options{App: filepath.Join(app, "cmd/x")})
			if err != nil {
				t.Fatal(err)
			}
			if says(t, a) != "up\n" {
				t.Errorf("it says %q", says(t, a))
			}
			if text, err := os.ReadFile(filepath.Join(app, "go.mod")); err != nil || string(text) != gomod {
				t.Errorf("the app's go.mod was changed to %q, %v", text, err)
			}
		})
	}
}

func TestWhatCannotBeBuiltIsExplained(t *testing.T) {
	root := clone(t)
	other := tree(t, map[string]string{
		"go.mod":         "module example.com/a\n\ngo 1.25\n\nreplace " + module + " => " + root + "\n\nrequire " + module + " v0.0.0\n",
		"lib/lib.go":     "package lib\n",
		"none/README":    "nothing",
		"plain/main.go":  "package main\n\nfunc main() {}\n",
		"broken/main.go": "package main\n\nimport _ \"" + module + "\"\n\nfunc main() { undefinedName() }\n",
		"syntax/main.go": "package main\n\nfunc main( {}\n",
		"lost/main.go":   "package main\n\nimport _ \"example.com/a/nowhere\"\n\nfunc main() {}\n",
	})
	loose := tree(t, map[string]string{"main.go": appliance})
	tests := []struct{ name, app, want string }{
		{"no app", "", "APP="},
		{"no such folder", "./nowhere", "no folder ./nowhere"},
		{"no such folder, without a dot", "nowhere/app", "no folder nowhere/app"},
		{"a file", filepath.Join(other, "lib/lib.go"), "is a file"},
		{"a library", filepath.Join(other, "lib"), "no program"},
		{"no Go at all", filepath.Join(other, "none"), "package main"},
		{"no import of tamanet", filepath.Join(other, "plain"), `import _ "github.com/tamanet/tamanet"`},
		{"a compiler error", filepath.Join(other, "broken"), "main.go:5:15: undefined: undefinedName"},
		{"a syntax error", filepath.Join(other, "syntax"), "main.go:3:"},
		{"a package that is not there", filepath.Join(other, "lost"), "example.com/a/nowhere"},
		{"no module", loose, "go mod init"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("GOPROXY", "off")
			a, err := hostBuild(t, root, Options{App: tt.app})
			if err == nil {
				t.Fatalf("got %+v, want an error", a)
			}
			t.Log(err)
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want …%s…", err, tt.want)
			}
		})
	}
}

func TestOutIsAFileOrAFolder(t *testing.T) {
	root := clone(t)
	out := t.TempDir()
	for _, tt := range []struct{ out, want string }{
		{out, "demo-microvm.elf"},
		{filepath.Join(out, "new") + "/", "new/demo-microvm.elf"},
		{filepath.Join(out, "k"), "k"},
	} {
		a, err := hostBuild(t, root, Options{App: "app/demo", Out: tt.out})
		if err != nil || a.Path != filepath.Join(out, tt.want) {
			t.Errorf("--out %s gave %s, %v; want %s", tt.out, a.Path, err, tt.want)
		}
	}
}

func TestSecondBuildLinksNothing(t *testing.T) {
	root := clone(t)
	out := filepath.Join(t.TempDir(), "kernel.elf")
	if _, err := hostBuild(t, root, Options{App: "app/demo", Out: out}); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-time.Hour).Truncate(time.Second)
	if err := os.Chtimes(out, long, long); err != nil {
		t.Fatal(err)
	}
	// -x shows each command that go build runs.
	t.Setenv("GOFLAGS", "-x")
	seen := filepath.Join(t.TempDir(), "go")
	goCmd, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	log := seen + ".log"
	script := "#!/bin/sh\nexec " + goCmd + " \"$@\" 2>>" + log + "\n"
	if err := os.WriteFile(seen, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := hostBuild(t, root, Options{App: "app/demo", Out: out, Go: seen}); err != nil {
		t.Fatal(err)
	}
	ran, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(ran, []byte("/link -o")) || bytes.Contains(ran, []byte("/compile -o")) {
		t.Errorf("the second build compiled or linked:\n%s", ran)
	}
}

func TestTheGoCommandIsToldTheTarget(t *testing.T) {
	root := clone(t)
	log := filepath.Join(t.TempDir(), "log")
	stub := filepath.Join(t.TempDir(), "go")
	// The stub answers list like a go command, and notes what it is asked to build.
	script := `#!/bin/sh
case "$1 $2" in
"list -m") echo /somewhere ;;
"list -e") echo '{"Dir":"` + root + `/app/demo","ImportPath":"x/demo","Name":"main","Deps":["` + module + `/board/microvm"]}' ;;
build*) { env; echo "ARGS $*"; } >` + log + `; echo '# x/demo' >&2; echo './main.go:1: no' >&2; exit 1 ;;
esac
`
	if err := os.WriteFile(stub, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOROOT", "/surrounding")
	t.Setenv("GOOS", "plan9")
	t.Setenv("GOTOOLCHAIN", "go1.21.0")
	_, err := Build(t.Context(), Options{App: filepath.Join(root, "app/demo"), Board: "microvm", Go: stub, Tags: []string{"mine"}, Out: log + ".elf"})
	var compile *CompileError
	if !errors.As(err, &compile) || compile.Output != "# x/demo\n./main.go:1: no\n" {
		t.Errorf("got %v, want the compiler's words", err)
	}
	got, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	profile, err := (&builder{cache: filepath.Join(cache, "tamanet")}).profile(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"GOOS=tamago\n", "GOARCH=amd64\n", "GOOSPKG=github.com/usbarmory/tamago\n", "CGO_ENABLED=0\n", "GOTOOLCHAIN=local\n",
		"ARGS build -trimpath -buildvcs=false -tags microvm,mine -pgo " + profile + " -ldflags -s -w -T 0x101000 -R 0x1000 -o " + log + ".elf .\n",
	} {
		if !bytes.Contains(got, []byte(want)) {
			t.Errorf("%q is missing", want)
		}
	}
	for _, not := range []string{"GOROOT=", "plan9", "go1.21.0"} {
		if bytes.Contains(got, []byte(not)) {
			t.Errorf("%q is there", not)
		}
	}
	if t.Failed() {
		t.Logf("%s", got)
	}
}

func TestUnknownBoardListsTheOthers(t *testing.T) {
	_, err := Build(t.Context(), Options{App: ".", Board: "vax", Go: "go"})
	if err == nil || !strings.Contains(err.Error(), `"vax"`) || !strings.Contains(err.Error(), "microvm") {
		t.Errorf("got %v", err)
	}
}

func TestCancelledBuildEnds(t *testing.T) {
	root := clone(t)
	stub := filepath.Join(t.TempDir(), "go")
	if err := os.WriteFile(stub, []byte("#!/bin/sh\nexec sleep 600\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := Build(ctx, Options{App: filepath.Join(root, "app/demo"), Go: stub})
		done <- err
	}()
	cancel()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the build goes on")
	}
}

func TestAnAppliancesOwnProfileIsUsed(t *testing.T) {
	b, dir := &builder{cache: t.TempDir()}, t.TempDir()
	path, err := b.profile(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, defaultProfile) {
		t.Errorf("%s does not hold tamanet's profile: %v", path, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "default.pgo"), defaultProfile, 0o644); err != nil {
		t.Fatal(err)
	}
	if path, err := b.profile(dir); path != "auto" || err != nil {
		t.Errorf("with default.pgo beside the program: %q, %v, want auto", path, err)
	}
}
