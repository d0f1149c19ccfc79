package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestReportOfRealTests has go test run a module of its own, in which tests pass, fail, skip, crash and do not compile.
func TestReportOfRealTests(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.com/x\n\ngo 1.25\n",
		"a/a_test.go": `package a

import "testing"

func TestPass(t *testing.T) {}

func TestParent(t *testing.T) {
	t.Attr("count", "2 kernels booted")
	t.Attr("count", "nonsense")
	t.Run("one", func(t *testing.T) {})
	t.Run("two", func(t *testing.T) { t.Skip("the moon is new") })
}

func TestBooted(t *testing.T) { t.Attr("count", "1 kernels booted") }
`,
		"b/b_test.go": `package b

import "testing"

func TestFail(t *testing.T) { t.Log("before"); t.Error("it broke") }
`,
		"c/c_test.go": "package c\n\nimport \"testing\"\n\nfunc TestCrash(t *testing.T) { var m map[int]int; m[1] = 1 }\n",
		"d/d_test.go": "package d\n\nimport \"testing\"\n\nfunc TestType(t *testing.T) { undefinedName() }\n",
		"e/e.go":      "package e\n",
		"f/f_test.go": "package f\n\nimport (\n\t\"os\"\n\t\"testing\"\n)\n\nfunc TestMain(m *testing.M) { println(\"no reason\"); os.Exit(3) }\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-json", "./...")
	cmd.Dir = dir
	stream, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Skip(err)
	}
	var out bytes.Buffer
	r := newReport(&out, false)
	if err := r.read(bytes.NewReader(stream), true); err != nil {
		t.Fatal(err)
	}
	r.summary([]string{"host"}, 90*time.Second)
	got := out.String()
	for _, want := range []string{
		"ok    .example.com/x/a", "FAIL  .example.com/x/b", "b_test.go:5: it broke",
		"assignment to entry in nil map", "undefined: undefinedName", "no reason",
		"skipped: .example.com/x/a TestParent/two: the moon is new\n",
		"pass  .example.com/x/a TestPass (",
		// Failed: b's test, c's test, d does not compile, f's package.
		"FAIL: ran host: 5 packages, 3 tests passed, 4 failed, 1 skipped; 3 kernels booted; 1m30s\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not there", want)
		}
	}
	if !r.bad() {
		t.Error("the report is good")
	}
	if t.Failed() {
		t.Logf("%s\n%s", got, stream)
	}
}

func TestGoodReport(t *testing.T) {
	var out bytes.Buffer
	r := newReport(&out, false)
	events := `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"noise\n"}
{"Action":"pass","Package":"p","Test":"TestA","Elapsed":0.1}
{"Action":"pass","Package":"p","Elapsed":0.2}
`
	if err := r.read(strings.NewReader(events), false); err != nil {
		t.Fatal(err)
	}
	r.check("vet", nil, nil)
	r.summary([]string{"vet", "host"}, time.Second)
	want := "ok    .p (0.2 s)\nok    vet\nPASS: ran vet, host: 1 packages, 2 tests passed, 0 failed, 0 skipped; 1s\n"
	if out.String() != want || r.bad() {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestBrokenStreamIsAnError(t *testing.T) {
	r := newReport(new(bytes.Buffer), false)
	if err := r.read(strings.NewReader(`{"Action":"run"} not json`), false); err == nil {
		t.Error("no error")
	}
}

func TestGroups(t *testing.T) {
	for dir, want := range map[string]string{"qemu": "host", "qemu/e2e": "e2e", "kernel/toolchain/stdtest": "toolchain",
		"kernel/toolchainer": "host", ".": "host", "net/socket": "host"} {
		if got := owner(dir); got != want {
			t.Errorf("%s belongs to %s, want %s", dir, got, want)
		}
	}
	groups, err := chooseGroups([]string{"e2e", "vet"})
	if err != nil || len(groups) != 2 || groups[0].name != "vet" {
		t.Errorf("got %v, %v", groups, err)
	}
	if !slices.ContainsFunc(testGroups, func(g testGroup) bool { return g.boots }) {
		t.Error("nothing boots")
	}
}
