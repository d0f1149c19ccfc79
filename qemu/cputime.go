package qemu

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

// clockTick is the unit of CPU times in /proc, USER_HZ, which is 100 on every architecture that QEMU hosts use.
const clockTick = 10 * time.Millisecond

// CPUTime returns how long QEMU has run on the host's CPUs so far, to 10 ms. It is known on Linux, while QEMU runs.
func (v *VM) CPUTime() (time.Duration, error) {
	path := fmt.Sprintf("/proc/%d/stat", v.Pid())
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, fmt.Errorf("qemu: the processor time is not known: %w", err)
	}
	d, err := parseCPUTime(b)
	if err != nil {
		return 0, fmt.Errorf("qemu: %s is %q: %w", path, b, err)
	}
	return d, nil
}

// parseCPUTime reads a process's stat (proc_pid_stat(5)), of which it takes fields 14 and 15.
func parseCPUTime(stat []byte) (time.Duration, error) {
	// The name of the program, in parentheses, may hold anything.
	f := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(f) < 13 {
		return 0, errors.New("there is no CPU time in it")
	}
	user, err1 := strconv.Atoi(string(f[11]))
	system, err2 := strconv.Atoi(string(f[12]))
	return time.Duration(user+system) * clockTick, errors.Join(err1, err2)
}
