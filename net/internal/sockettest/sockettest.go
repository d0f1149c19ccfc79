// Package sockettest makes tasks for the tests of sockets.
package sockettest

import (
	"testing"

	"github.com/tamanet/tamanet/net/families"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/socket"
)

// NewTask returns a task in a network of its own, with every family. When the test ends, its descriptors are closed,
// and then its network.
func NewTask(t testing.TB) *socket.Task {
	t.Helper()
	return NewTaskOn(t, netdev.Config{})
}

// NewTaskOn is NewTask on a machine as cfg describes it.
func NewTaskOn(t testing.TB, cfg netdev.Config) *socket.Task {
	t.Helper()
	if err := families.Register(); err != nil {
		t.Fatal(err)
	}
	st, err := netdev.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	task := socket.NewTask(st)
	t.Cleanup(func() {
		task.Exit()
		st.Close()
	})
	return task
}
