package qemu

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"time"
)

const (
	// probeEvery is the pause between two probes, which come one after another. A busy prober has QEMU's software
	// emulation do little else.
	probeEvery = 200 * time.Millisecond
	// probeTimeout bounds one probe. QEMU itself accepts the connection, so a guest that is not up yet is silence.
	probeTimeout = 3 * time.Second
)

// WaitHTTP returns nil once url gives an HTTP response, of whatever status. It probes only after the guest has printed
// a line: before that there is no network either. The error says whether ctx or the machine ended before.
func (v *VM) WaitHTTP(ctx context.Context, url string) error {
	if _, err := v.WaitLine(ctx, "."); err != nil {
		return err
	}
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
		Timeout: probeTimeout,
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
		pause.Reset(probeEvery)
	}
}
