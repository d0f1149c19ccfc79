package qemu

import (
	"bytes"
	"context"
	"io"
	"regexp"
	"strings"
	"sync"
)

const (
	// maxLine ends a line that has no newline, so that a guest cannot make the host hold all it prints.
	maxLine = 64 << 10
	// maxConsole bounds what is kept of a console; older lines are forgotten.
	maxConsole = 4 << 20
)

// console splits what it is written into lines, keeps them, and wakes who waits for one.
type console struct {
	tee io.Writer // live copy, or nil

	mu      sync.Mutex
	partial []byte
	lines   []string
	size    int           // bytes held by lines
	dropped int           // lines forgotten at the front
	closed  bool          // no more will be written
	changed chan struct{} // closed at the next line and at the end
}

func newConsole(tee io.Writer) *console {
	return &console{tee: tee, changed: make(chan struct{})}
}

// Write takes output of the guest. It never fails: a broken tee must not stop the machine.
func (c *console) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		c.mu.Lock()
		if i < 0 {
			c.partial = append(c.partial, p...)
			p = nil
		} else {
			c.partial = append(c.partial, p[:i]...)
			p = p[i+1:]
		}
		full := i >= 0 || len(c.partial) >= maxLine
		c.mu.Unlock()
		if full {
			c.endLine()
		}
	}
	return n, nil
}

// endLine makes a line of what was gathered. Only the writer calls it, so the tee sees lines in order with no lock held.
func (c *console) endLine() {
	c.mu.Lock()
	line := strings.TrimSuffix(string(c.partial), "\r")
	c.partial = c.partial[:0]
	c.lines = append(c.lines, line)
	c.size += len(line)
	for c.size > maxConsole {
		c.size -= len(c.lines[0])
		c.lines = c.lines[1:]
		c.dropped++
	}
	c.mu.Unlock()
	// The copy comes before the wake-up: who waited for a line finds it printed.
	if c.tee != nil {
		io.WriteString(c.tee, line+"\n")
	}
	c.wake(false)
}

// close ends the console after a last line without newline.
func (c *console) close() {
	c.mu.Lock()
	rest := len(c.partial) > 0
	c.mu.Unlock()
	if rest {
		c.endLine()
	}
	c.wake(true)
}

func (c *console) wake(closed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = c.closed || closed
	close(c.changed)
	c.changed = make(chan struct{})
}

// text returns what is kept, a line each.
func (c *console) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.lines) == 0 {
		return string(c.partial)
	}
	return strings.Join(c.lines, "\n") + "\n" + string(c.partial)
}

// last returns the last line that is not blank.
func (c *console) last() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := len(c.lines) - 1; i >= 0; i-- {
		if strings.TrimSpace(c.lines[i]) != "" {
			return c.lines[i]
		}
	}
	return ""
}

// wait returns the first line kept that matches, as soon as there is one. ok is false when ctx or the console ended
// before.
func (c *console) wait(ctx context.Context, match *regexp.Regexp) (line string, ok bool) {
	for next := 0; ; {
		c.mu.Lock()
		for i := max(next-c.dropped, 0); i < len(c.lines); i++ {
			if match.MatchString(c.lines[i]) {
				line = c.lines[i]
				c.mu.Unlock()
				return line, true
			}
		}
		next = c.dropped + len(c.lines)
		changed, closed := c.changed, c.closed
		c.mu.Unlock()
		if closed {
			return "", false
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return "", false
		}
	}
}
