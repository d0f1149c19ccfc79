package bench

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSummaryOfRatiosPairsTheSamples(t *testing.T) {
	require.Equal(t, &Summary{Median: 2, Min: 1, Max: 8}, ratios([]float64{10, 4, 24}, []float64{5, 4, 3}))
	require.Equal(t, Summary{Median: 2.5, Min: 1, Max: 4}, summarize([]float64{4, 1, 3, 2}))
	require.Equal(t, &Summary{Median: 3, Min: 3, Max: 3}, ratios([]float64{1, 6, 7}, []float64{0, 2}), "no division by 0, no sample without its peer")
	require.Nil(t, ratios([]float64{1}, nil))
}

func TestAimIsReachedInItsDirection(t *testing.T) {
	for _, tt := range []struct {
		less       bool
		aim, ratio float64
		want       bool
	}{{true, 0.1, 0.05, true}, {true, 0.1, 0.2, false}, {false, 2, 2.5, true}, {false, 2, 1.9, false}} {
		row := Row{Measure: Measure{Less: tt.less, Aim: tt.aim}, Ratio: &Summary{Median: tt.ratio}}
		require.Equal(t, tt.want, row.Reached(), "%+v", tt)
	}
}

func testReport() *Report {
	return &Report{Board: "microvm", Net: NetUser, RAM: 256 * mib, Rows: []Row{
		{Measure: Measure{Key: "a", Name: "boots & <halts>", Unit: "s", Less: true, Aim: 0.1}, Tamanet: []float64{0.5, 0.4}, Linux: []float64{5, 2},
			Ratio: ratios([]float64{0.5, 0.4}, []float64{5, 2})},
		{Measure: Measure{Key: "b", Name: "requests", Unit: "/s", Aim: 2}, Tamanet: []float64{3e6}},
	}}
}

func TestTable(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, testReport().Print(&out))
	require.Contains(t, out.String(), "medians of 2 rounds")
	require.Regexp(t, `boots & <halts> +450 ms +3500 ms +0\.150 +0\.100 +0\.200 +less +0\.100\n`, out.String())
	require.Regexp(t, `requests +3\.00 M/s +more +2\.00\n`, out.String())
}

func TestFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	want := testReport()
	require.NoError(t, want.writeJSON(filepath.Join(dir, "r.json")))
	require.NoError(t, want.writePlot(filepath.Join(dir, "r.svg")))
	b, err := os.ReadFile(filepath.Join(dir, "r.json"))
	require.NoError(t, err)
	var got Report
	require.NoError(t, json.Unmarshal(b, &got))
	require.Equal(t, *want, got)

	plot, err := os.ReadFile(filepath.Join(dir, "r.svg"))
	require.NoError(t, err)
	dec := xml.NewDecoder(bytes.NewReader(plot))
	for err == nil {
		_, err = dec.Token()
	}
	require.Equal(t, io.EOF, err, "the plot is no XML")
	require.Contains(t, string(plot), "boots &amp; &lt;halts&gt;")
	require.Equal(t, 1, strings.Count(string(plot), "fill=\"#2a7\""), "a bar for the row that has a ratio")
}
