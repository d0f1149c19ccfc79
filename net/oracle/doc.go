// Package oracle holds the tests that take Linux as the judge of the socket
// layer.
//
// A scenario is a sequence of socket calls, written once. The tests run it
// twice: over the real system calls of the Linux that runs the test, in a
// network namespace of its own where that is allowed, and over tamanet, in a
// network stack of its own. Each step leaves a line with its outcome: the
// errno, the result, the names, the bytes, the events. The two transcripts
// must be equal, or the scenario stands in a list of named differences, each
// with its reason; a difference that has gone must leave the list. The test
// ends in one line that counts them: make oracle.
//
// FuzzCalls makes sequences of calls of its own, drawn from its input, and
// compares them in the same way: make fuzz. The benchmarks measure both systems
// in one run: make bench-sockets.
package oracle
