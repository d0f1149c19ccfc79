package main

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"

	"github.com/tamanet/tamanet/drivers/nic"
)

// formats are the functions with which page.html writes quantities.
var formats = template.FuncMap{
	"bytes":          formatBytes,
	"count":          formatCount,
	"duration":       formatSeconds,
	"destination":    destination,
	"driverCounters": driverCounters,
	"listening":      listening,
	"raised":         raised,
	"tone":           tone,
	"percent":        percent,
	"time":           formatTime,
}

// formatCount writes an integer of any type with a comma between each three
// digits: 1,234,567.
func formatCount(n any) string {
	digits := fmt.Sprint(n)
	var b strings.Builder
	for i, d := range digits {
		if left := len(digits) - i; i > 0 && left%3 == 0 && digits[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// formatBytes writes n in the binary unit that leaves one to four digits
// before the point: 1.5 KiB, 64 MiB.
func formatBytes(n uint64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return strconv.FormatUint(n, 10) + " B"
	}
	value, unit := float64(n)/1024, 0
	for value >= 1023.95 && unit < len(units)-1 {
		value, unit = value/1024, unit+1
	}
	text := strings.TrimSuffix(strconv.FormatFloat(value, 'f', 1, 64), ".0")
	return text + " " + units[unit:unit+1] + "iB"
}

// formatSeconds writes a time in its two largest units: 3 d 4 h, 5 min 6 s,
// and parts of a second as 1.5 ms.
func formatSeconds(s float64) string {
	n := int64(s)
	switch {
	case s == 0:
		return "0 s"
	case s < 0.9995e-3:
		return fmt.Sprintf("%.0f µs", s*1e6)
	case s < 0.9995:
		return fmt.Sprintf("%.3g ms", s*1e3)
	case s < 1:
		return "1 s"
	case n < 60:
		return fmt.Sprintf("%d s", n)
	case n < 3600:
		return fmt.Sprintf("%d min %d s", n/60, n%60)
	case n < 86400:
		return fmt.Sprintf("%d h %d min", n/3600, n/60%60)
	}
	return fmt.Sprintf("%d d %d h", n/86400, n/3600%24)
}

func formatTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// percent is the share of part in whole, rounded; 0 when there is no whole.
func percent(part, whole uint64) int {
	if whole == 0 {
		return 0
	}
	return int(float64(part)/float64(whole)*100 + 0.5)
}

// driverCounter is a line of the page's list of driver counters.
type driverCounter struct {
	Label string
	Value string
	Bad   bool // counts something that should not happen, and has
}

// driverCounters writes what the driver counts, in the order in which package
// nic does.
func driverCounters(values map[string]uint64) []driverCounter {
	var list []driverCounter
	new(nic.Stats).Each(func(name string, _ uint64) {
		c := driverCounter{
			Label: strings.ReplaceAll(name, "_", " "),
			Value: formatCount(values[name]),
			Bad:   strings.Contains(name, "error") && values[name] > 0,
		}
		if strings.HasSuffix(name, "_bytes") {
			c.Value = formatBytes(values[name])
		}
		list = append(list, c)
	})
	return list
}

func listening(sockets []Socket) (n int) {
	for _, s := range sockets {
		if s.State == "LISTEN" {
			n++
		}
	}
	return n
}

func raised(lines []Interrupt) (n uint64) {
	for _, l := range lines {
		n += l.Count
	}
	return n
}

// tone is the class of style in which the page writes a socket's state.
func tone(state string) string {
	switch state {
	case "LISTEN":
		return "listen"
	case "ESTAB":
		return "open"
	case "UNCONN":
		return ""
	}
	return "moving" // opening or closing
}

// destination writes a route's prefix as ip route does.
func destination(prefix string) string {
	if prefix == "0.0.0.0/0" || prefix == "::/0" {
		return "default"
	}
	return prefix
}
