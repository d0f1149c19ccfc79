package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/tamanet/tamanet/qemu"
)

// A Report is what came of a Run.
type Report struct {
	Time  time.Time `json:"time"`
	Board string    `json:"board"`
	Net   string    `json:"net"`
	Wire  string    `json:"wire,omitempty"` // what an impaired wire did, as impair.Parse reads it
	Accel string    `json:"accel"`
	QEMU  string    `json:"qemu"`
	RAM   uint64    `json:"ram_bytes"`
	Rows  []Row     `json:"rows"`
}

// A Row is a measure with its samples, in the order in which they were taken, and the ratios of tamanet's to Linux's,
// sample by sample.
type Row struct {
	Measure
	Tamanet []float64 `json:"tamanet,omitempty"`
	Linux   []float64 `json:"linux,omitempty"`
	Ratio   *Summary  `json:"ratio,omitempty"` // nil where a guest has no sample, or Linux's is 0
}

// A Summary is what a table tells of several samples.
type Summary struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// summarize returns the summary of at least one sample.
func summarize(samples []float64) Summary {
	s := slices.Sorted(slices.Values(samples))
	n := len(s)
	return Summary{Median: (s[(n-1)/2] + s[n/2]) / 2, Min: s[0], Max: s[n-1]}
}

// ratios returns the summary of a/b, sample by sample.
func ratios(a, b []float64) *Summary {
	var all []float64
	for i := range min(len(a), len(b)) {
		if b[i] != 0 {
			all = append(all, a[i]/b[i])
		}
	}
	if len(all) == 0 {
		return nil
	}
	s := summarize(all)
	return &s
}

// report gathers the samples.
func (b *bench) report(ctx context.Context) *Report {
	r := &Report{Time: time.Now().UTC().Truncate(time.Second), Board: b.Board, Net: b.Net, Wire: b.Impair.String(), Accel: b.Accel, RAM: b.Mem}
	if board, err := qemu.LookupBoard(b.Board); err == nil {
		out, _ := exec.CommandContext(ctx, board.Program, "--version").Output()
		r.QEMU, _, _ = strings.Cut(string(out), "\n")
	}
	for _, m := range Measures {
		row := Row{Measure: m, Tamanet: b.samples[m.Key]["tamanet"], Linux: b.samples[m.Key]["Linux"]}
		row.Ratio = ratios(row.Tamanet, row.Linux)
		if row.Tamanet != nil || row.Linux != nil {
			r.Rows = append(r.Rows, row)
		}
	}
	return r
}

// Reached reports whether the median ratio is at or beyond the aim.
func (r Row) Reached() bool {
	return r.Ratio != nil && (r.Less && r.Ratio.Median <= r.Aim || !r.Less && r.Ratio.Median >= r.Aim)
}

// Print writes the table.
func (r *Report) Print(w io.Writer) error {
	rounds := 0
	for _, row := range r.Rows {
		rounds = max(rounds, len(row.Tamanet), len(row.Linux))
	}
	net := r.Net + " networking"
	if r.Wire != "" {
		net += " (" + r.Wire + " each way)"
	}
	fmt.Fprintf(w, "%s, board %s, %s, %s, %s of RAM, 1 CPU; medians of %d rounds\n\n",
		r.QEMU, r.Board, net, r.Accel, qemu.FormatSize(r.RAM), rounds)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "\ttamanet\tLinux\ttamanet/Linux\tmin\tmax\tbetter\taim")
	for _, row := range r.Rows {
		better := "more"
		if row.Less {
			better = "less"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\n", row.Name, row.median(row.Tamanet), row.median(row.Linux), row.Ratio, better, row.aim())
	}
	return tw.Flush()
}

// String writes the median, the least and the greatest as three cells.
func (s *Summary) String() string {
	if s == nil {
		return "\t\t"
	}
	return fmt.Sprintf("%s\t%s\t%s", digits(s.Median), digits(s.Min), digits(s.Max))
}

// aim writes what is aimed for, and whether it is reached.
func (r Row) aim() string {
	switch {
	case r.Aim == 0:
		return ""
	case r.Reached():
		return digits(r.Aim) + " reached"
	}
	return digits(r.Aim)
}

// median writes the median of samples with the unit.
func (r Row) median(samples []float64) string {
	if len(samples) == 0 {
		return ""
	}
	v := summarize(samples).Median
	switch r.Unit {
	case "B":
		return digits(v/mib) + " MiB"
	case "s":
		return digits(v*1e3) + " ms"
	case "bit/s":
		return digits(v/1e6) + " Mbit/s"
	case "%":
		return digits(v) + " %"
	}
	if v >= 1e6 {
		return digits(v/1e6) + " M" + r.Unit
	}
	return digits(v) + " " + r.Unit
}

// digits writes v with three significant digits, more where it is 1000 or more.
func digits(v float64) string {
	if v == 0 {
		return "0"
	}
	return fmt.Sprintf("%.*f", max(0, 2-int(math.Floor(math.Log10(math.Abs(v))))), v)
}

// writeJSON writes the report to a file.
func (r *Report) writeJSON(path string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}
