package impair

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Parse reads a Config such as "loss=1%,burst=1,delay=20ms,jitter=2ms,reorder=5%,duplicate=1%,seed=7,limit=1000". The empty
// string is the Config that does nothing.
func Parse(s string) (c Config, err error) {
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		name, value, _ := strings.Cut(item, "=")
		if err := c.set(name, value); err != nil {
			return c, fmt.Errorf("impair: %q: %w", item, err)
		}
	}
	return c, c.check()
}

// String writes what Parse reads, without what is as in the Config that does nothing.
func (c Config) String() string {
	var all []string
	add := func(there bool, name string, value any) {
		if there {
			all = append(all, fmt.Sprintf("%s=%v", name, value))
		}
	}
	share := func(v float64) string { return strconv.FormatFloat(100*v, 'g', 6, 64) + "%" }
	add(c.Loss != 0, "loss", share(c.Loss))
	add(c.Burst != 0, "burst", c.Burst)
	add(c.Delay != 0, "delay", c.Delay)
	add(c.Jitter != 0, "jitter", c.Jitter)
	add(c.Reorder != 0, "reorder", share(c.Reorder))
	add(c.Duplicate != 0, "duplicate", share(c.Duplicate))
	add(c.Seed != 0, "seed", c.Seed)
	add(c.Limit != 0, "limit", c.Limit)
	return strings.Join(all, ",")
}

func (c *Config) set(name, value string) (err error) {
	switch name {
	case "seed":
		c.Seed, err = strconv.ParseUint(value, 10, 64)
	case "loss":
		c.Loss, err = percent(value)
	case "duplicate":
		c.Duplicate, err = percent(value)
	case "reorder":
		c.Reorder, err = percent(value)
	case "delay":
		c.Delay, err = time.ParseDuration(value)
	case "jitter":
		c.Jitter, err = time.ParseDuration(value)
	case "burst":
		c.Burst, err = strconv.Atoi(value)
	case "limit":
		c.Limit, err = strconv.Atoi(value)
	default:
		err = fmt.Errorf("allowed: loss, duplicate, reorder (as 1%%), delay, jitter (as 20ms), burst, seed, limit")
	}
	return err
}

func percent(s string) (float64, error) {
	digits, ok := strings.CutSuffix(s, "%")
	if !ok {
		return 0, fmt.Errorf("want a share such as 1%%")
	}
	v, err := strconv.ParseFloat(digits, 64)
	return v / 100, err
}
