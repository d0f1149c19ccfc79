package qemu

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"regexp"
	"time"
)

const (
	// probeEvery is the pause between two probes, which come one after another. A busy prober has QEMU's software
	// emulation do little else.
	probeEvery = 200 * time.Millisecond
	// The first probe may take firstProbe, each further one twice as long as the one before, up to longestProbe. QEMU
	// itself accepts the connection, so a guest that is not up yet is silence.
	firstProbe, longestProbe = 250 * time.Millisecond, 4 * time.Second
	// silence is how long to wait for a first line on the console before probing all the same: a program need not
	// print anything.
	silence = 2 * time.Second
)

// anything matches a line that says something.
var anything = regexp.MustCompile(`.`)

// WaitHTTP returns nil once url gives an HTTP response, of whatever status. It leaves a booting guest alone at first,
// until it prints a line or has been silent for a while. The error says whether ctx or the machine ended before.
func (v *VM) WaitHTTP(ctx context.Context, url string) error {
	quiet, cancelQuiet := context.WithTimeout(ctx, silence)
	v.console.wait(quiet, anything)
	cancelQuiet()
	probing, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-v.done:
			cancel()
		case <-probing.Done():
		}
	}()
	err := awaitAnswer(probing, url)
	select {
	case <-v.done:
		return fmt.Errorf("qemu: %s did not answer before the machine ended: %w", url, v.explain(err))
	default:
	}
	return err
}

// awaitAnswer returns nil once url gives an HTTP response, and otherwise why not when ctx ends.
func awaitAnswer(ctx context.Context, url string) error {
	client := &http.Client{
		Timeout: firstProbe,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			// Who it is does not matter here, only that it answers.
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	pause := time.NewTimer(0)
	defer pause.Stop()
	last := error(nil) // of the last probe
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("qemu: %s does not answer (%w; last probe: %v)", url, context.Cause(ctx), last)
		case <-pause.C:
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return fmt.Errorf("qemu: probing %s: %w", url, err)
		}
		resp, err := client.Do(req)
		if err == nil {
			resp.Body.Close()
			return nil
		}
		last = err
		client.Timeout = min(2*client.Timeout, longestProbe)
		pause.Reset(probeEvery)
	}
}
