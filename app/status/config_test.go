package main

import (
	"flag"
	"io"
	"strings"
	"testing"
	"time"
)

func TestSetFlagsFromCommandLineWords(t *testing.T) {
	flags := flag.NewFlagSet("test", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	echo := flags.String("echo", ":7", "")
	discard := flags.String("discard", ":9", "")
	wait := flags.Duration("wait", time.Second, "")

	warnings := setFlags(flags, []string{"echo=:7007", "discard=", "quiet", "wait=soon", "mode=a=b"})

	if *echo != ":7007" || *discard != "" {
		t.Errorf("echo is %q, discard %q; want :7007 and none", *echo, *discard)
	}
	if *wait != time.Second {
		t.Errorf("a bad value changed the default to %v", *wait)
	}
	want := []string{`"quiet"`, `"wait=soon"`, `"mode=a=b"`}
	if len(warnings) != len(want) {
		t.Fatalf("warnings %q, want one for each of %q", warnings, want)
	}
	for i := range want {
		if !strings.Contains(warnings[i], want[i]) {
			t.Errorf("warning %q does not name %s", warnings[i], want[i])
		}
	}
}
