package stdtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"text/template"
)

// dataDirs are the folders with test data that tests read outside of their
// own package, below GOROOT/src.
var dataDirs = map[string][]string{
	"compress/bzip2": {"compress/testdata"},
	"compress/flate": {"compress/testdata", "testdata"},
	"compress/gzip":  {"compress/testdata"},
	"compress/lzw":   {"compress/testdata"},
	"compress/zlib":  {"compress/testdata"},
	"encoding/xml":   {},
}

// embedDir is a folder that exists in the overlay only, in each package.
const embedDir = "tamanet_embed"

// setup is the extra file of a test program.
var setup = template.Must(template.New("setup").Parse(`package {{.Name}}_test

import (
{{- if .Data}}
	"embed"
	"io/fs"
{{- end}}
	"os"
	"path/filepath"
)
{{if .Data}}
//go:embed all:` + embedDir + `
var tamanetData embed.FS
{{end}}
func init() {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	os.Args = []string{"{{.Name}}.test", "-test.v=test2json", "-test.short", "-test.timeout=3m"{{range .Args}}, {{printf "%q" .}}{{end}}}
	const dir = "/go/src/{{.ImportPath}}"
	must(os.MkdirAll(dir, 0o777))
{{- if .Data}}
	must(fs.WalkDir(tamanetData, ".", func(path string, d fs.DirEntry, err error) error {
		must(err)
		to := filepath.Join("/go/src", path[min(len(path), len("` + embedDir + `")):])
		if d.IsDir() {
			return os.MkdirAll(to, 0o777)
		}
		data, err := tamanetData.ReadFile(path)
		must(err)
		return os.WriteFile(to, data, 0o666)
	}))
{{- end}}
	must(os.MkdirAll("/usr/bin", 0o755))
	for _, name := range []string{"group", "passwd"} {
		must(os.WriteFile("/etc/"+name, []byte("root:x:0:\n"), 0o644))
	}
	must(os.Chdir(filepath.FromSlash(dir)))
}
`))

// writeOverlay writes the extra files to dir and returns the path of the JSON
// file for the go command's flag -overlay.
func writeOverlay(dir string, pkgs []pkg, skips map[string]skip) (string, error) {
	replace := make(map[string]string)
	for i, p := range pkgs {
		data, err := p.embed(replace)
		if err != nil {
			return "", err
		}
		var args []string
		if list := skips[p.ImportPath].pattern(); list != "" {
			args = append(args, "-test.skip="+list)
		}
		name := filepath.Join(dir, fmt.Sprintf("%d_test.go", i))
		f, err := os.Create(name)
		if err != nil {
			return "", err
		}
		err = setup.Execute(f, map[string]any{
			"Name": p.Name, "ImportPath": p.ImportPath, "Data": data, "Args": args,
		})
		if err := errors.Join(err, f.Close()); err != nil {
			return "", err
		}
		replace[filepath.Join(p.Dir, "tamanet_setup_test.go")] = name
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "overlay.json")
	return file, os.WriteFile(file, text, 0o666)
}

// embed maps p's test data into its overlay folder and reports whether there
// is any.
func (p *pkg) embed(replace map[string]string) (any bool, err error) {
	src := p.goroot()
	for _, dir := range append([]string{p.ImportPath, path.Join(p.ImportPath, "testdata")}, dataDirs[p.ImportPath]...) {
		root := filepath.Join(src, filepath.FromSlash(dir))
		err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err == nil && d.IsDir() && file != root && dir == p.ImportPath {
				return fs.SkipDir // of the package's folder, its own files
			}
			if err != nil || !d.Type().IsRegular() || strings.ContainsAny(d.Name(), "\"*<>?`'|\\:") {
				return err
			}
			rel, err := filepath.Rel(src, file)
			if err != nil {
				return err
			}
			to := filepath.Join(p.Dir, embedDir, rel)
			if strings.HasSuffix(to, string(filepath.Separator)+"go.mod") {
				return nil // would make its folder another module
			}
			replace[to] = file
			any = true
			return nil
		})
		if err != nil {
			return false, err
		}
	}
	return any, nil
}
