package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// Profile loads tamanet's guest with all that Run loads it with and writes its CPU profile to a file, for pprof and
// for the compiler (Go's -pgo). What user networking has no offloads for counts more than it would on a machine.
func Profile(ctx context.Context, o Options, path string) error {
	g, err := tamanetGuest(ctx, o)
	if err != nil {
		return err
	}
	b := &bench{Options: o}
	m, err := b.boot(ctx, bootLimit, g, o.Mem)
	if err != nil {
		return err
	}
	defer m.Stop()
	loads := m.loads(o.Each)
	type answer struct {
		body []byte
		err  error
	}
	profile := make(chan answer, 1)
	go func() {
		body, err := m.profile(ctx, time.Duration(len(loads))*o.Each)
		profile <- answer{body, err}
	}()
	var failed error
	for _, load := range loads {
		b.say("profiling %s", load.name)
		if err := load.run(ctx); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", load.name, err))
		}
	}
	p := <-profile
	if err := errors.Join(failed, p.err); err != nil {
		return fmt.Errorf("%w; the console:\n%s", err, m.Console())
	}
	return os.WriteFile(path, p.body, 0o644)
}

// A load is one of those that a guest is profiled under.
type load struct {
	name string
	run  func(context.Context) error
}

// loads returns the loads of a machine, each for so long.
func (m *machine) loads(d time.Duration) []load {
	web := m.addr("tcp", 80)
	return []load{
		{"HTTP, 1 connection", func(ctx context.Context) error { return second(keepAlive(ctx, web, 1, budget{time: d})) }},
		{"HTTP, 16 connections", func(ctx context.Context) error { return second(keepAlive(ctx, web, 16, budget{time: d})) }},
		{"fresh connections", func(ctx context.Context) error { return second(fresh(ctx, web, 1, budget{time: d})) }},
		{"TCP in", func(ctx context.Context) error { return second(send(ctx, m.addr("tcp", 9), 4, d)) }},
		{"TCP out", func(ctx context.Context) error { return second(receive(ctx, m.addr("tcp", 19), 4, d)) }},
		{"UDP round trips", func(ctx context.Context) error { return second(roundTrips(ctx, m.addr("udp", 7), budget{time: d})) }},
		{"datagrams out", func(ctx context.Context) error { return second(soak(ctx, m.addr("udp", 19), d)) }},
		// The last one, since what it leaves in queues may keep another's first datagram out.
		{"datagrams in", func(ctx context.Context) error { return pour(ctx, m.addr("udp", 9), d) }},
	}
}

func second(_ outcome, err error) error { return err }

// profile has the guest take a CPU profile of the next d, in whole seconds, and returns it as pprof has it.
func (m *machine) profile(ctx context.Context, d time.Duration) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, d+2*patience)
	defer cancel()
	url := fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%.0f", m.addr("tcp", 80), max(1, d.Seconds()))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", url, resp.Status, body)
	}
	return body, err
}
