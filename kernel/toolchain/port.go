package toolchain

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

//go:embed all:_goroot edits.txt
var portFS embed.FS

// buildVersion changes when build.go makes something else of the same port.
const buildVersion = "1"

// A port is what makes GOOS=tamago of a stock GOROOT.
type port struct {
	added  map[string]string // file below GOROOT → content
	copies []fileCopy
	edits  []edit
}

// A fileCopy makes a file of GOROOT stand under another name too, because its
// own name ties it to another system.
type fileCopy struct {
	line     int // in edits.txt
	from, to string
}

// An edit replaces one place of a file below GOROOT.
type edit struct {
	file     string
	line     int    // in edits.txt
	old, new string // whole lines
}

func loadPort() (*port, error) {
	p := &port{added: make(map[string]string)}
	err := fs.WalkDir(portFS, "_goroot", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := portFS.ReadFile(path)
		p.added[strings.TrimPrefix(path, "_goroot/")] = string(data)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("toolchain: %w", err)
	}
	text, err := portFS.ReadFile("edits.txt")
	if err != nil {
		return nil, fmt.Errorf("toolchain: %w", err)
	}
	p.copies, p.edits, err = parseEdits(string(text))
	return p, err
}

// key identifies what the port makes: it names the toolchain's folder.
func (p *port) key() string {
	h := sha256.New()
	fmt.Fprintf(h, "%s %s %s\n", Release, hostPlatform, buildVersion)
	fs.WalkDir(portFS, ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			data, _ := portFS.ReadFile(path)
			fmt.Fprintf(h, "%s %d\n%s", path, len(data), data)
		}
		return nil
	})
	return hex.EncodeToString(h.Sum(nil)[:6])
}

// parseEdits parses edits.txt; its first comment describes the format.
func parseEdits(text string) (copies []fileCopy, edits []edit, err error) {
	var cur *edit
	var file string
	for i, line := range strings.Split(text, "\n") {
		line, rest := line, ""
		if line != "" {
			line, rest = line[:1], line[1:]
		}
		switch {
		case strings.HasPrefix(line+rest, "--- "):
			file, cur = strings.TrimPrefix(line+rest, "--- "), nil
			if from, to, ok := strings.Cut(file, " > "); ok {
				copies = append(copies, fileCopy{i + 1, from, to})
				file = to
			}
		case line == "" || file == "" && line == "#":
			file, cur = "", nil
		case file == "":
			return nil, nil, fmt.Errorf("edits.txt:%d: an edit needs a line \"--- file\" before it", i+1)
		case line+rest == "@@":
			cur = nil
		case !strings.Contains(" -+", line):
			return nil, nil, fmt.Errorf("edits.txt:%d: a line of an edit begins with a space, - or +, not %q", i+1, line)
		default:
			if cur == nil {
				edits = append(edits, edit{file: file, line: i + 1})
				cur = &edits[len(edits)-1]
			}
			if line != "+" {
				cur.old += rest + "\n"
			}
			if line != "-" {
				cur.new += rest + "\n"
			}
		}
	}
	for _, c := range copies {
		if !filepath.IsLocal(c.from) || !filepath.IsLocal(c.to) {
			return nil, nil, fmt.Errorf("edits.txt:%d: %q or %q is not below GOROOT", c.line, c.from, c.to)
		}
	}
	for _, e := range edits {
		if !filepath.IsLocal(e.file) {
			return nil, nil, fmt.Errorf("edits.txt:%d: %q is not below GOROOT", e.line, e.file)
		}
		if strings.TrimSpace(e.old) == "" {
			return nil, nil, fmt.Errorf("edits.txt:%d: an edit of %s has no anchor", e.line, e.file)
		}
	}
	return copies, edits, nil
}

// apply adds the port's files to the copy of GOROOT in dir, copies and edits
// those that are there. It fails when a file to add exists, and when an anchor
// does not stand in its file exactly once.
func (p *port) apply(dir string) error {
	for file, content := range p.added {
		path := filepath.Join(dir, filepath.FromSlash(file))
		if _, err := os.Lstat(path); err == nil {
			return fmt.Errorf("%s: the port adds it, and it is in %s already", file, Release)
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
			return err
		}
	}
	for _, c := range p.copies {
		if err := copyFile(filepath.Join(dir, filepath.FromSlash(c.to)), filepath.Join(dir, filepath.FromSlash(c.from))); err != nil {
			return fmt.Errorf("edits.txt:%d: %w", c.line, err)
		}
	}
	for _, e := range p.edits {
		if err := e.apply(dir); err != nil {
			return err
		}
	}
	return nil
}

func (e *edit) apply(dir string) error {
	path := filepath.Join(dir, filepath.FromSlash(e.file))
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("edits.txt:%d: %w", e.line, err)
	}
	// Anchors are whole lines: the newline before is part of the search.
	text, anchor := "\n"+string(data), "\n"+e.old
	n := 0
	for rest := text; ; n++ {
		i := strings.Index(rest, anchor)
		if i < 0 {
			break
		}
		rest = rest[i+1:]
	}
	if n != 1 {
		return fmt.Errorf("edits.txt:%d: the anchor stands in %s %d times, not once: the port is not for this Go, or it was edited already", e.line, e.file, n)
	}
	text = strings.Replace(text, anchor, "\n"+e.new, 1)
	return os.WriteFile(path, []byte(text[1:]), 0o666)
}
