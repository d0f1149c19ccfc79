package bench

import (
	"bufio"
	"cmp"
	"context"
	"debug/elf"
	"debug/gosym"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/tamanet/tamanet/qemu"
)

// tracedPart is the part of Options.Each that each load is traced for, after as much without: a trace is some 100 bytes for
// each block of instructions.
const tracedPart = 8

// TextOrder loads tamanet's guest with its blocks of instructions traced, and writes which functions call one another
// to a file, as the port's linker takes it: a line for each page of functions, the busiest first. The loads are
// those of Profile.
func TextOrder(ctx context.Context, o Options, path string) error {
	g, err := tamanetGuest(ctx, o)
	if err != nil {
		return err
	}
	b := &bench{Options: o}
	if b.dir, err = os.MkdirTemp("", "tamanet-textorder-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	text, err := readText(g.Config.Kernel)
	if err != nil {
		return err
	}
	if err := b.trace(ctx, g, text); err != nil {
		return err
	}
	var out strings.Builder
	for _, page := range text.pages() {
		fmt.Fprintln(&out, strings.Join(page, "\t"))
	}
	return os.WriteFile(path, []byte(out.String()), 0o644)
}

// trace boots the guest and adds up what it calls under each load.
func (b *bench) trace(ctx context.Context, g *Guest, text *text) error {
	socket, log := filepath.Join(b.dir, "qmp"), filepath.Join(b.dir, "trace")
	m, err := b.boot(ctx, bootLimit, g, b.Mem, append(qemu.QMPArgs(socket), "-D", log)...)
	if err != nil {
		return err
	}
	defer m.Stop()
	q, err := qemu.DialQMP(ctx, socket)
	if err != nil {
		return err
	}
	defer q.Close()
	for _, l := range m.loads(b.Each) {
		b.say("tracing %s", l.name)
		done := make(chan error, 1)
		go func() { done <- l.run(ctx) }()
		pause(ctx, b.Each/tracedPart)
		begin := fileSize(log)
		err := monitor(q, "log exec,nochain")
		pause(ctx, b.Each/tracedPart)
		err = errors.Join(err, monitor(q, "log none"), <-done)
		if err != nil {
			return fmt.Errorf("%s: %w; the console:\n%s", l.name, err, m.Console())
		}
		if err := text.readTrace(log, begin); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
	}
	return nil
}

// monitor has QEMU's human monitor execute a command that answers nothing.
func monitor(q *qemu.QMP, command string) error {
	var said string
	err := q.Execute("human-monitor-command", map[string]string{"command-line": command}, &said)
	if err == nil && said != "" {
		err = fmt.Errorf("qemu: monitor: %s: %s", command, strings.TrimSpace(said))
	}
	return err
}

func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0 // no line yet
	}
	return info.Size()
}

// A text is a kernel's functions by address, with what was seen of them.
type text struct {
	funcs []function
	calls map[call]float64
}

type function struct {
	name     string
	at, size uint64
	weight   float64 // share of the blocks
}

// A call is one from a function to another, by their index.
type call struct{ from, to int }

func readText(kernel string) (*text, error) {
	f, err := elf.Open(kernel)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	code, lines := f.Section(".text"), f.Section(".gopclntab")
	if code == nil || lines == nil {
		return nil, fmt.Errorf("%s has no Go program in it", kernel)
	}
	data, err := lines.Data()
	if err != nil {
		return nil, err
	}
	table, err := gosym.NewTable(nil, gosym.NewLineTable(data, code.Addr))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kernel, err)
	}
	t := &text{calls: make(map[call]float64)}
	for _, fn := range table.Funcs {
		t.funcs = append(t.funcs, function{name: fn.Name, at: fn.Entry, size: fn.End - fn.Entry})
	}
	slices.SortFunc(t.funcs, func(a, b function) int { return cmp.Compare(a.at, b.at) })
	return t, nil
}

// find returns the function at an address, or -1, and whether it begins there.
func (t *text) find(at uint64) (index int, entry bool) {
	i, ok := slices.BinarySearchFunc(t.funcs, at, func(f function, at uint64) int { return cmp.Compare(f.at, at) })
	if ok {
		return i, true
	}
	if i--; i < 0 || at >= t.funcs[i].at+t.funcs[i].size {
		return -1, false
	}
	return i, false
}

// readTrace adds up a part of QEMU's log, which counts as much as any other part does.
func (t *text) readTrace(path string, begin int64) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("QEMU's log: %w", err)
	}
	defer f.Close()
	if _, err := f.Seek(begin, io.SeekStart); err != nil {
		return err
	}
	return t.addTrace(f)
}

// addTrace adds up lines of QEMU's "-d exec": Trace 0: HOST [CS_BASE/PC/FLAGS/CFLAGS].
func (t *text) addTrace(r io.Reader) error {
	blocks, calls := make(map[int]float64), make(map[call]float64)
	total, before := 0.0, -1
	s := bufio.NewScanner(r)
	for s.Scan() {
		_, rest, _ := strings.Cut(s.Text(), "/")
		pc, _, ok := strings.Cut(rest, "/")
		at, err := strconv.ParseUint(pc, 16, 64)
		if !ok || err != nil || !strings.HasPrefix(s.Text(), "Trace ") {
			continue
		}
		i, entry := t.find(at)
		if total++; i >= 0 {
			blocks[i]++
		}
		if entry && before >= 0 && before != i {
			calls[call{before, i}]++
		}
		before = i
	}
	if total == 0 {
		return errors.Join(errors.New("nothing was traced"), s.Err())
	}
	for i, n := range blocks {
		t.funcs[i].weight += n / total
	}
	for c, n := range calls {
		t.calls[c] += n / total
	}
	return s.Err()
}
