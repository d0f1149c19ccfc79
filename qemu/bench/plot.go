package bench

import (
	"fmt"
	"html"
	"math"
	"os"
	"path/filepath"
	"strings"
)

// The measures of the plot, in pixels.
const (
	plotLabels = 300 // room for the names
	plotWidth  = 500 // room for the bars
	plotLine   = 22  // height of a line
	plotMargin = 40
)

// writePlot draws how many times better than Linux tamanet is, a bar for each row on a logarithmic scale, with the
// least and the greatest as a thin line, and writes it to a file as SVG.
func (r *Report) writePlot(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(r.svg()), 0o644)
}

// better returns the ratios of a row such that more than 1 is better.
func (r Row) better() Summary {
	s := *r.Ratio
	if r.Less {
		s = Summary{Median: 1 / s.Median, Min: 1 / s.Max, Max: 1 / s.Min}
	}
	return s
}

func (r *Report) svg() string {
	var rows []Row
	least, greatest := 0.5, 2.0
	for _, row := range r.Rows {
		if row.Ratio == nil || row.Ratio.Min <= 0 {
			continue
		}
		rows = append(rows, row)
		s := row.better()
		least, greatest = min(least, s.Min), max(greatest, s.Max)
	}
	least, greatest = math.Pow(10, math.Floor(math.Log10(least))), math.Pow(10, math.Ceil(math.Log10(greatest)))
	x := func(v float64) float64 {
		return plotLabels + plotWidth*math.Log(v/least)/math.Log(greatest/least)
	}
	height := plotMargin*2 + plotLine*len(rows)
	var s strings.Builder
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="13">`+"\n",
		plotLabels+plotWidth+2*plotMargin, height)
	fmt.Fprintf(&s, `<rect width="100%%" height="100%%" fill="white"/><text x="%d" y="20" font-weight="bold">Times better than Linux (board %s, %s networking, %s)</text>`+"\n",
		plotLabels, html.EscapeString(r.Board), html.EscapeString(r.Net), html.EscapeString(r.Accel))
	for v := least; v <= greatest*1.001; v *= 10 {
		fmt.Fprintf(&s, `<path d="M%.1f %d V%d" stroke="#ddd"/><text x="%.1f" y="%d" text-anchor="middle" fill="#666">%g</text>`+"\n",
			x(v), plotMargin-8, height-plotMargin, x(v), height-plotMargin+18, v)
	}
	for i, row := range rows {
		plotRow(&s, row, x, plotMargin+plotLine*i)
	}
	fmt.Fprintf(&s, `<path d="M%.1f %d V%d" stroke="black"/>`+"\n</svg>\n", x(1), plotMargin-8, height-plotMargin)
	return s.String()
}

// plotRow draws one row, whose upper edge is at y.
func plotRow(s *strings.Builder, row Row, x func(float64) float64, y int) {
	b := row.better()
	color := "#2a7"
	if b.Median < 1 {
		color = "#c53"
	}
	left, right := min(x(1), x(b.Median)), max(x(1), x(b.Median))
	fmt.Fprintf(s, `<text x="%d" y="%d" text-anchor="end">%s</text>`, plotLabels-10, y+14, html.EscapeString(strings.TrimSpace(row.Name)))
	fmt.Fprintf(s, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>`, left, y+3, max(right-left, 1), plotLine-8, color)
	fmt.Fprintf(s, `<path d="M%.1f %d H%.1f" stroke="black"/>`, x(b.Min), y+plotLine/2-1, x(b.Max))
	fmt.Fprintf(s, `<text x="%.1f" y="%d" fill="#333">%s</text>`+"\n", right+6, y+14, digits(b.Median))
}
