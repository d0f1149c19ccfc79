package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// listed is what the go command tells about a package (go help list).
type listed struct {
	Dir        string
	ImportPath string
	Name       string
	Deps       []string
	Error      *listedError
	DepsErrors []*listedError
}

type listedError struct {
	Err string
}

// located is a main package that can be built: pattern names it for a go command that runs in builder.dir.
type located struct {
	listed
	pattern string
	onBoard bool // it imports the board's package, through tamanet's
}

// locate finds the program that b.App names and checks that it can become a kernel. It sets the folder, and where
// needed the workspace, of the go commands after it.
func (b *builder) locate(ctx context.Context) (located, error) {
	pattern, err := b.enter()
	if err != nil {
		return located{}, err
	}
	if err := b.provideModule(ctx); err != nil {
		return located{}, err
	}
	said, err := b.run(ctx, "list", "-e", "-json=Dir,ImportPath,Name,Deps,Error,DepsErrors", "-tags", b.target.tags(b.Tags), pattern)
	pkg := located{pattern: pattern}
	if err != nil {
		return pkg, b.failure(ctx, b.App, said, err)
	}
	if err := json.NewDecoder(strings.NewReader(said)).Decode(&pkg.listed); err != nil {
		return pkg, fmt.Errorf("what %s list says of %s: %w", b.Go, b.App, err)
	}
	pkg.onBoard = slices.Contains(pkg.Deps, module+"/board/"+b.target.Board)
	return pkg, b.check(pkg)
}

// enter sets the folder to run in and returns the pattern that names the app there.
func (b *builder) enter() (pattern string, err error) {
	if b.App == "" {
		return "", errors.New("no appliance was named: APP= (--app) takes a folder with a main package")
	}
	info, err := os.Stat(b.App)
	switch {
	case err == nil && info.IsDir():
		b.dir, err = filepath.Abs(b.App)
		return ".", err
	case err == nil:
		return "", fmt.Errorf("%s is a file; APP= (--app) takes the folder of a main package", b.App)
	// An import path begins with a host's name.
	case filepath.IsAbs(b.App) || strings.HasPrefix(b.App, ".") || !strings.Contains(strings.Split(b.App, "/")[0], "."):
		return "", fmt.Errorf("there is no folder %s; APP= (--app) takes the folder of a main package", b.App)
	case !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	b.dir, err = os.Getwd()
	return b.App, err
}

// check says what keeps pkg from becoming a kernel.
func (b *builder) check(pkg located) error {
	switch {
	case pkg.Name == "" && pkg.Error != nil:
		return &CompileError{Package: b.App, Output: pkg.Error.Err + hint(pkg.Error.Err)}
	case pkg.Name != "main":
		return fmt.Errorf("%s holds package %s, which is no program: an appliance is a folder with a package main", b.App, pkg.Name)
	case pkg.Error != nil:
		return &CompileError{Package: pkg.ImportPath, Output: pkg.Error.Err}
	case len(pkg.DepsErrors) > 0:
		return &CompileError{Package: pkg.ImportPath, Output: pkg.DepsErrors[0].Err}
	}
	return nil
}

// hint adds to an error of the go command what a newcomer would do about it.
func hint(said string) string {
	switch {
	case strings.Contains(said, "go.mod file not found"), strings.Contains(said, "cannot find main module"):
		return "\nan appliance belongs to a module; make one with: go mod init example.com/appliance"
	case strings.Contains(said, "no Go files"):
		return "\nan appliance is a folder with a package main"
	}
	return ""
}
