package main

import (
	"flag"
	"fmt"
	"log"
	"strings"

	"github.com/tamanet/tamanet/board"
	"github.com/tamanet/tamanet/kernel/boot"
)

// standard returns what is usual on a machine of one's own, or what an
// ordinary process may have beside others.
func standard(machine, process string) string {
	if board.Current() != nil {
		return machine
	}
	return process
}

// parseFlags sets the flags from where the program is configured: the kernel
// command line on a board, as "echo=:7007", or the process's arguments.
func parseFlags() {
	if board.Current() == nil {
		flag.Parse()
		return
	}
	for _, warning := range setFlags(flag.CommandLine, boot.Args()) {
		log.Print(warning)
	}
}

// setFlags sets the flag of each word name=value. A word that names no flag,
// or has a value that the flag does not take, changes nothing; the warning
// says so.
func setFlags(flags *flag.FlagSet, words []string) (warnings []string) {
	for _, word := range words {
		name, value, _ := strings.Cut(word, "=")
		f := flags.Lookup(name)
		if f == nil {
			warnings = append(warnings, fmt.Sprintf("command line: %q is not used: no such flag", word))
			continue
		}
		before := f.Value.String()
		if err := flags.Set(name, value); err != nil {
			flags.Set(name, before) // a failed Set may have cleared it
			warnings = append(warnings, fmt.Sprintf("command line: %q is not used: %v", word, err))
		}
	}
	return warnings
}
