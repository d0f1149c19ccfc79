package build

import (
	"context"
	"crypto/sha256"
	"fmt"
	"go/version"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// provideModule makes sure that the app's build knows the tamanet module. Where the app's own go.mod (or go.work)
// brings it, that is what counts. Where it does not, as in a program that was just begun beside a clone of tamanet, the
// clone and the app are joined in a workspace of ours (GOWORK), and the app's folder stays as it is.
func (b *builder) provideModule(ctx context.Context) error {
	said, err := b.run(ctx, "list", "-m", "-f", "{{.Dir}}", module)
	if err == nil && strings.TrimSpace(said) != "" {
		return nil
	}
	gomod, err := b.run(ctx, "env", "GOMOD")
	if err != nil {
		return b.failure(ctx, b.App, gomod, err)
	}
	gomod = strings.TrimSpace(gomod)
	if gomod == "" || gomod == os.DevNull {
		return &CompileError{Package: b.App, Output: "go.mod file not found in " + b.dir + " or any folder above it" + hint("go.mod file not found")}
	}
	clone := FindClone()
	if clone == "" {
		return &CompileError{Package: b.App, Output: said + "add tamanet to " + gomod + ": go get " + module}
	}
	work, err := b.writeWorkspace(filepath.Dir(gomod), clone)
	if err != nil {
		return fmt.Errorf("joining %s and %s in a workspace: %w", filepath.Dir(gomod), clone, err)
	}
	fmt.Fprintf(b.Progress, "%s does not name %s; using the one in %s\n", gomod, module, clone)
	b.env = append(b.env, "GOWORK="+work)
	return nil
}

// writeWorkspace writes a go.work of the two modules into the cache and returns its path. It is the same for
// the same modules: the go.work.sum that the go command puts beside it is kept.
func (b *builder) writeWorkspace(app, clone string) (string, error) {
	goVersion := "1.21"
	for _, dir := range []string{app, clone} {
		v, err := goLine(filepath.Join(dir, "go.mod"))
		if err != nil {
			return "", err
		}
		if version.Compare("go"+v, "go"+goVersion) > 0 {
			goVersion = v // a workspace may not be older than what is in it
		}
	}
	sum := sha256.Sum256([]byte(app + "\x00" + clone))
	dir := filepath.Join(b.cache, "work", fmt.Sprintf("%x", sum[:6]))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "go.work")
	text := fmt.Sprintf("go %s\n\nuse (\n\t%q\n\t%q\n)\n", goVersion, app, clone)
	return path, os.WriteFile(path, []byte(text), 0o644)
}

var goDirective = regexp.MustCompile(`(?m)^go[ \t]+([0-9][0-9A-Za-z.]*)`)

// goLine returns the version in the go directive of a go.mod, "1.16" where there is none (go.dev/ref/mod#go-mod-file-go).
func goLine(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if m := goDirective.FindSubmatch(text); m != nil {
		return string(m[1]), nil
	}
	return "1.16", nil
}

// FindClone returns the folder of a clone of tamanet: the current folder or one above it, or the one that this program
// was compiled from; "" when there is none.
func FindClone() string {
	if wd, err := os.Getwd(); err == nil {
		for dir := wd; ; dir = filepath.Dir(dir) {
			if isClone(dir) {
				return dir
			}
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	if _, file, _, ok := runtime.Caller(0); ok {
		if dir := filepath.Join(filepath.Dir(file), "..", ".."); filepath.IsAbs(file) && isClone(dir) {
			return dir
		}
	}
	return ""
}

var moduleDirective = regexp.MustCompile(`(?m)^module[ \t]+"?` + regexp.QuoteMeta(module) + `"?[ \t]*$`)

// isClone reports whether dir holds the go.mod of this module.
func isClone(dir string) bool {
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	return err == nil && moduleDirective.Match(text)
}
