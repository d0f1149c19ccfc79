package qemu

import (
	"path/filepath"
	"testing"
)

// TestInstructionsAreCounted boots a guest whose instructions can be counted by hand.
func TestInstructionsAreCounted(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "qmp")
	v := start(t, program{}.print("up\n").halt(), func(c *Config) { c.More = append(CountInstructions(), QMPArgs(socket)...) })
	if _, err := v.WaitLine(deadline(t), "up"); err != nil {
		t.Fatal(err)
	}
	q, err := DialQMP(deadline(t), socket)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	var before, after int64
	for after = -1; before != after; { // until it has halted
		before = after
		if after, err = q.Instructions(); err != nil {
			t.Fatal(err)
		}
	}
	if after < 9 || after > 10_000_000 {
		t.Errorf("%d instructions for printing 3 bytes and halting", after)
	}
	if err := q.Execute("no-such-command", nil, nil); err == nil {
		t.Error("an unknown command gave no error")
	}
}
