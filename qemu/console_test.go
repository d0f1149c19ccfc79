package qemu

import (
	"errors"
	"regexp"
	"strings"
	"testing"
)

var regexpPid = regexp.MustCompile(`^pid \d+$`)

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestConsoleIsBounded(t *testing.T) {
	c := newConsole(nil)
	line := strings.Repeat("x", maxLine-1) + "\n"
	for range 2 * maxConsole / maxLine {
		c.Write([]byte(line))
	}
	c.Write([]byte(strings.Repeat("y", 3*maxLine)))
	c.Write([]byte("\nend\n"))
	if n := len(c.text()); n > maxConsole+2*maxLine {
		t.Errorf("%d bytes are kept, want about %d", n, maxConsole)
	}
	if c.last() != "end" || c.dropped == 0 {
		t.Errorf("last line %q, %d dropped", c.last(), c.dropped)
	}
}

func TestConsoleOutlivesABrokenCopy(t *testing.T) {
	c := newConsole(brokenWriter{})
	if n, err := c.Write([]byte("a\nb\n")); n != 4 || err != nil {
		t.Errorf("Write gave %d, %v", n, err)
	}
	if c.text() != "a\nb\n" {
		t.Errorf("kept %q", c.text())
	}
}
