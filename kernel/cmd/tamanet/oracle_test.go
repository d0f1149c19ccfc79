package main

import (
	"strings"
	"testing"
)

func TestPrintOracle(t *testing.T) {
	events := `{"Action":"run","Test":"TestOracle/bind/x"}
{"Action":"output","Test":"TestOracle/bind/x","Output":"quiet\n"}
{"Action":"pass","Test":"TestOracle/bind/x"}
{"Action":"output","Test":"TestOracle/bind/y","Output":"    differs\n"}
{"Action":"fail","Test":"TestOracle/bind/y"}
{"Action":"output","Test":"TestOracle","Output":"oracle: 2 scenarios, 1 agree, 0 named differences, 1 unexplained\n"}
{"Action":"output","Test":"TestOracle","Output":"--- FAIL: TestOracle (0.00s)\n"}
{"Action":"fail","Test":"TestOracle"}
{"Action":"output","Output":"FAIL\n"}
`
	var out strings.Builder
	if err := printOracle(&out, strings.NewReader(events)); err != nil {
		t.Fatal(err)
	}
	const want = "    differs\noracle: 2 scenarios, 1 agree, 0 named differences, 1 unexplained\n"
	if out.String() != want {
		t.Errorf("printed\n%swant\n%s", out.String(), want)
	}
}

func TestPrintOracleOfWhatIsNoJSON(t *testing.T) {
	if err := printOracle(new(strings.Builder), strings.NewReader("no JSON")); err == nil {
		t.Error("no error")
	}
}

func TestBenchTable(t *testing.T) {
	var table benchTable
	for _, line := range []string{
		"goos: linux",
		"BenchmarkPoll/linux-2  \t 541134\t 800.0 ns/op\t 0 B/op\t 0 allocs/op",
		"BenchmarkPoll/tamanet-2\t 541134\t 200.0 ns/op\t 16 B/op\t 3 allocs/op",
		"BenchmarkTCPBulk/linux\t 10\t 50000 ns/op\t1500.00 MB/s\t 0 B/op\t 0 allocs/op",
		"BenchmarkTCPBulk/tamanet\t 10\t 25000 ns/op\t3000.00 MB/s\t 0 B/op\t 0 allocs/op",
		"BenchmarkBroken/tamanet 10 x ns/op",
		"PASS",
	} {
		table.add(line)
	}
	var out strings.Builder
	if err := table.print(&out); err != nil {
		t.Fatal(err)
	}
	squeezed := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{"Poll 200 ns 800 ns 0.25 3", "TCPBulk 3.00 GB/s 1.50 GB/s 0.50 0"} {
		if !strings.Contains(squeezed, want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "Broken") {
		t.Error("a broken line has a row")
	}
}

func TestFuzzTargets(t *testing.T) {
	targets, err := fuzzTargets("../../..")
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, target := range targets {
		found = found || target.String() == "net/oracle.FuzzCalls"
	}
	if !found {
		t.Errorf("net/oracle.FuzzCalls is not among %v", targets)
	}
}
