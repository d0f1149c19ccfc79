package e2e

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tamanet/tamanet/qemu"
)

// TestQueuePairs has two processors and a card with two queue pairs on a tap interface: the host's kernel and the guest
// spread flows over the pairs, a flow keeps to one pair and its order, and on q35 each pair's interrupt is
// another processor's.
func TestQueuePairs(t *testing.T) {
	virtioDevice(t)
	if os.Getenv(inNamespace) == "" {
		inOwnNamespace(t)
		return
	}
	vm, _ := bootVirtio(t, qemu.Config{Netdev: tap(t, 2, 1500), CPUs: 2}, "mq=on")
	if got := fetchQueues(t, vm); len(got.pairs) != 2 {
		t.Fatalf("%d queue pairs are in use, want 2", len(got.pairs))
	}
	t.Run("flows are spread", func(t *testing.T) { flowsAreSpread(t, vm) })
	t.Run("a flow stays", func(t *testing.T) { flowStays(t, vm) })
	if Board == "q35" {
		t.Run("interrupts are spread", func(t *testing.T) { interruptsAreSpread(t, vm) })
	}
}

// queues is what the guest counts of its card.
type queues struct {
	pairs []map[string]uint64 // by pair, as package nic names the counters
	lines map[string][]uint64 // interrupts of the card by processor, by line
}

// sub returns how much a counter of each pair has grown.
func (q queues) sub(before queues, counter string) (n []uint64) {
	for i, p := range q.pairs {
		n = append(n, p[counter]-before.pairs[i][counter])
	}
	return n
}

func fetchQueues(t *testing.T, vm *qemu.VM) queues {
	t.Helper()
	var report struct {
		Interrupts []struct {
			Name   string
			PerCPU []uint64 `json:"per_cpu"`
		}
		Interfaces []struct {
			Device *struct{ Queues []map[string]uint64 }
		}
	}
	if err := getJSON(Context(t, Patience), http.DefaultClient, "http://"+addrOf(vm, 80)+"/status.json", &report); err != nil {
		t.Fatal(err)
	}
	q := queues{lines: make(map[string][]uint64)}
	for _, i := range report.Interfaces {
		if i.Device != nil {
			q.pairs = append(q.pairs, i.Device.Queues...)
		}
	}
	for _, i := range report.Interrupts {
		q.lines[i.Name] = i.PerCPU
	}
	return q
}

// flowsAreSpread has many connections at once send and receive.
func flowsAreSpread(t *testing.T, vm *qemu.VM) {
	const flows, size = 48, 64 << 10
	before := fetchQueues(t, vm)
	var all sync.WaitGroup
	for i := range flows {
		all.Go(func() {
			if err := echo(t, vm, size, byte(i)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	after := fetchQueues(t, vm)
	// Which pair a flow is on is a hash's choice. That each has less than a tenth has a chance of one in a billion.
	const least = flows * size / 10
	for _, counter := range []string{"rx_bytes", "tx_bytes"} {
		for pair, n := range after.sub(before, counter) {
			t.Logf("pair %d: %s %d", pair, counter, n)
			if n < least {
				t.Errorf("pair %d: %s grew by %d for %d connections of %d bytes each way, want at least %d", pair, counter, n, flows, size, least)
			}
		}
	}
}

// echo sends bytes over a connection of its own, and checks that they come back.
func echo(t *testing.T, vm *qemu.VM, size int, seed byte) error {
	c, err := new(net.Dialer).DialContext(Context(t, Patience), "tcp", addrOf(vm, 7))
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(Patience))
	sent := make([]byte, size)
	for i := range sent {
		sent[i] = seed ^ byte(i*i>>7)
	}
	failed := make(chan error, 1)
	go func() {
		_, err := c.Write(sent)
		failed <- err
	}()
	got := make([]byte, size)
	if _, err := io.ReadFull(c, got); err != nil {
		return fmt.Errorf("echo: %w", err)
	}
	if !slices.Equal(got, sent) {
		return fmt.Errorf("connection %d: the echo is not what was sent", seed)
	}
	return <-failed
}

// flowStays sends numbered datagrams, several at a time, which must come back in order, and by one pair.
func flowStays(t *testing.T, vm *qemu.VM) {
	c, err := net.Dial("udp", addrOf(vm, 7))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const batches, batch = 200, 8
	next := uint32(0)
	exchange := func(n int) {
		t.Helper()
		c.SetDeadline(time.Now().Add(Patience))
		for i := range n {
			if _, err := c.Write(binary.BigEndian.AppendUint32(nil, next+uint32(i))); err != nil {
				t.Fatal(err)
			}
		}
		b := make([]byte, 16)
		for range n {
			if n, err := c.Read(b); err != nil || n != 4 {
				t.Fatalf("datagram %d: %d bytes, %v", next, n, err)
			}
			if got := binary.BigEndian.Uint32(b); got != next {
				t.Fatalf("datagram %d came back in place of %d", got, next)
			}
			next++
		}
	}
	exchange(1) // the host's kernel learns the flow's pair from what comes back
	before := fetchQueues(t, vm)
	for range batches {
		exchange(batch)
	}
	after := fetchQueues(t, vm)
	for _, counter := range []string{"rx_packets", "tx_packets"} {
		n := after.sub(before, counter)
		t.Logf("%s by pair: %d", counter, n)
		// What is beside them is the report's own connection.
		if slices.Max(n) < batches*batch || slices.Min(n) > batches*batch/10 {
			t.Errorf("%s of the pairs grew by %d, want all %d of a flow on one", counter, n, batches*batch)
		}
	}
}

// interruptsAreSpread looks which processors have taken the interrupts of the pairs.
func interruptsAreSpread(t *testing.T, vm *qemu.VM) {
	lines := fetchQueues(t, vm).lines
	var took []int // by pair
	for pair := range 2 {
		var n []uint64
		for name, counts := range lines {
			if strings.HasSuffix(name, fmt.Sprintf(" queues %d", pair)) {
				n = counts
			}
		}
		t.Logf("interrupts of pair %d by processor: %d", pair, n)
		if len(n) != 2 || slices.Max(n) == 0 || slices.Min(n) != 0 {
			t.Fatalf("interrupts of pair %d by processor are %d, want them all at one of two: %v", pair, n, lines)
		}
		took = append(took, slices.Index(n, slices.Max(n)))
	}
	if took[0] == took[1] {
		t.Errorf("processor %d takes the interrupts of both pairs: %v", took[0], lines)
	}
}
