package irq

import (
	"fmt"
	"sync"
)

// Pool hands out lines that nothing is wired to, for interrupts by message. The zero value has given none away. Its
// methods may be called from any goroutine.
type Pool struct {
	mu    sync.Mutex
	taken [MaxLines]bool
}

// Take returns up to n lines that are not taken, of those from first to last, from the last down. With fewer than least
// there are none, and an error that says how many are left.
func (p *Pool) Take(n, least int, first, last Line) ([]Line, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var lines []Line
	for l := int(min(last, MaxLines-1)); l >= int(first) && len(lines) < n; l-- {
		if !p.taken[l] {
			lines = append(lines, Line(l))
		}
	}
	if len(lines) < least {
		return nil, fmt.Errorf("%d interrupt lines for messages are left, want %d", len(lines), least)
	}
	for _, l := range lines {
		p.taken[l] = true
	}
	return lines, nil
}

// Give takes lines back, whose device does not use them any more. It panics for one that was not taken.
func (p *Pool) Give(lines []Line) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range lines {
		if !p.taken[l] {
			panic(fmt.Sprintf("irq: line %d is given back, and was not taken", l))
		}
		p.taken[l] = false
	}
}
