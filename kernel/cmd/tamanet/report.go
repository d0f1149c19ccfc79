package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// countAttr is the key of a test attribute (testing.T.Attr) that counts something: its value is a number, a blank and
// what was counted. The summary adds up the values of a kind.
const countAttr = "count"

// testEvent is a line of go test -json (go doc test2json).
type testEvent struct {
	Action     string
	Package    string
	ImportPath string // of build-output and build-fail
	Test       string
	Output     string
	Elapsed    float64 // seconds
	Key, Value string  // of attr
	// FailedBuild is the package that did not compile.
	FailedBuild string
}

// report follows tests, prints what is worth it, and counts.
type report struct {
	w       io.Writer
	verbose bool

	tests                 map[string]*testRun // by package and name, while they run
	passed, failed        int
	packages, badPackages int
	skipped, faults       []string
	failedIn              map[string]bool // packages with a failed test
	kinds                 []string        // what countAttr counted, in order of appearance
	counts                map[string]int
}

// testRun is a test, or with no name a package, under way.
type testRun struct {
	output strings.Builder
	parent bool // it has subtests, which are counted instead
}

func newReport(w io.Writer, verbose bool) *report {
	return &report{w: w, verbose: verbose, tests: make(map[string]*testRun), failedIn: make(map[string]bool), counts: make(map[string]int)}
}

// read follows the events on r to their end.
func (r *report) read(in io.Reader, perTest bool) error {
	for dec := json.NewDecoder(in); ; {
		var e testEvent
		if err := dec.Decode(&e); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			io.Copy(io.Discard, in) // go test must not block on the pipe
			return fmt.Errorf("reading the output of go test -json: %w", err)
		}
		r.event(e, perTest)
	}
}

// event takes one event in.
func (r *report) event(e testEvent, perTest bool) {
	if e.ImportPath != "" { // a build's, not a test's
		e.Package = e.ImportPath
	}
	key := e.Package + "\x00" + e.Test
	run := r.tests[key]
	if run == nil {
		run = new(testRun)
		r.tests[key] = run
	}
	switch e.Action {
	case "run":
		if i := strings.LastIndexByte(e.Test, '/'); i >= 0 {
			if p := r.tests[e.Package+"\x00"+e.Test[:i]]; p != nil {
				p.parent = true
			}
		}
	case "output", "build-output":
		run.output.WriteString(e.Output)
		if r.verbose {
			io.WriteString(r.w, e.Output)
		}
	case "attr":
		if e.Key == countAttr {
			r.count(e.Value)
		}
	case "build-fail":
		fmt.Fprintf(r.w, "FAIL  %s does not compile\n%s", e.ImportPath, run.output.String())
		r.badPackages++
	case "pass", "fail", "skip":
		r.end(e, run, perTest)
		delete(r.tests, key)
	}
}

// count adds up a value of countAttr. One that is no count is left out.
func (r *report) count(value string) {
	number, kind, _ := strings.Cut(value, " ")
	n, err := strconv.Atoi(number)
	if err != nil || kind == "" {
		return
	}
	if _, known := r.counts[kind]; !known {
		r.kinds = append(r.kinds, kind)
	}
	r.counts[kind] += n
}

// end counts a test or a package that has ended.
func (r *report) end(e testEvent, run *testRun, perTest bool) {
	name := shortPackage(e.Package)
	if e.Test == "" {
		r.endPackage(e, run, name)
		return
	}
	if !run.parent {
		switch e.Action {
		case "pass":
			r.passed++
		case "fail":
			r.failed++
			r.failedIn[e.Package] = true
		case "skip":
			r.skipped = append(r.skipped, fmt.Sprintf("%s %s: %s", name, e.Test, skipReason(run.output.String())))
		}
	}
	if e.Action == "fail" && !r.verbose {
		io.WriteString(r.w, run.output.String())
	}
	if perTest && !strings.Contains(e.Test, "/") {
		fmt.Fprintf(r.w, "%-4s  %s %s (%.1f s)\n", e.Action, name, e.Test, e.Elapsed)
	}
}

// endPackage prints a package's line.
func (r *report) endPackage(e testEvent, run *testRun, name string) {
	switch e.Action {
	case "skip": // no test files
	case "pass":
		r.packages++
		fmt.Fprintf(r.w, "ok    %s (%.1f s)\n", name, e.Elapsed)
	case "fail":
		r.packages++
		if !r.failedIn[e.Package] && e.FailedBuild == "" {
			r.badPackages++ // otherwise it is counted already
		}
		if !r.verbose {
			// What belongs to no test: a panic, a fatal error, the exit status. What a crash cut short belongs to the
			// tests that were running.
			io.WriteString(r.w, run.output.String())
			r.flush(e.Package)
		}
		fmt.Fprintf(r.w, "FAIL  %s (%.1f s)\n", name, e.Elapsed)
	}
}

// flush prints the output of a package's tests that have not ended.
func (r *report) flush(pkg string) {
	for key, run := range r.tests {
		if rest, ok := strings.CutPrefix(key, pkg+"\x00"); ok && rest != "" {
			io.WriteString(r.w, run.output.String())
			delete(r.tests, key)
		}
	}
}

// check counts a check that is no test, such as go vet, and prints the output of one that failed.
func (r *report) check(name string, output []byte, err error) {
	if err == nil {
		fmt.Fprintf(r.w, "ok    %s\n", name)
		r.passed++
		return
	}
	fmt.Fprintf(r.w, "%sFAIL  %s: %v\n", output, name, err)
	r.failed++
}

// fault reports that a group could not be run.
func (r *report) fault(group string, err error) {
	r.faults = append(r.faults, group)
	fmt.Fprintf(r.w, "FAIL  group %s could not be run: %v\n", group, err)
}

// failures counts what has failed.
func (r *report) failures() int { return r.failed + r.badPackages + len(r.faults) }

// bad reports whether anything has failed.
func (r *report) bad() bool { return r.failures() > 0 }

// summary prints what was skipped and why, and the last line.
func (r *report) summary(groups []string, took time.Duration) {
	for _, s := range r.skipped {
		fmt.Fprintf(r.w, "skipped: %s\n", s)
	}
	result := "PASS"
	if r.bad() {
		result = "FAIL"
	}
	counts := ""
	for _, kind := range r.kinds {
		counts += fmt.Sprintf("%d %s; ", r.counts[kind], kind)
	}
	fmt.Fprintf(r.w, "%s: ran %s: %d packages, %d tests passed, %d failed, %d skipped; %s%s\n",
		result, strings.Join(groups, ", "), r.packages, r.passed, r.failures(), len(r.skipped), counts, took.Round(time.Second))
}

// skipReason finds in a test's output what it gave as reason.
func skipReason(output string) string {
	for _, line := range strings.Split(output, "\n") {
		line = strings.TrimSpace(line)
		// t.Skip prints "file.go:12: reason".
		if _, reason, ok := strings.Cut(line, ".go:"); ok && !strings.HasPrefix(line, "---") {
			if _, reason, ok = strings.Cut(reason, ": "); ok {
				return reason
			}
		}
	}
	return "no reason given"
}

// shortPackage leaves the module's path out.
func shortPackage(path string) string {
	path = strings.TrimSuffix(strings.TrimPrefix(path, "github.com/tamanet/tamanet"), ".test")
	if path == "" {
		return "."
	}
	return "." + path
}
