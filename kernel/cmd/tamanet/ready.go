package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/tamanet/tamanet/qemu"
)

// remarkAfter is when a guest that runs but does not answer is worth a remark.
const remarkAfter = 60 * time.Second

// announce prints the URL of the machine's web server, on a line of its own, once it truly answers. It returns when it
// has, or when there is nothing to announce, or when ctx or the machine ends.
func announce(ctx context.Context, vm *qemu.VM, stdout, stderr io.Writer) {
	url := webURL(vm.Ports())
	if url == "" {
		return
	}
	remark := time.AfterFunc(remarkAfter, func() {
		fmt.Fprintf(stderr, "nothing answers at %s yet; is there a server on that port of the guest?\n", url)
	})
	defer remark.Stop()
	if vm.WaitHTTP(ctx, url) == nil {
		fmt.Fprintln(stdout, url)
	}
}

// webURL returns the URL of the first forward to a port of the guest that web servers use, "" when there is none.
func webURL(ports []qemu.Forward) string {
	for _, f := range ports {
		switch {
		case f.Proto != "tcp":
		case f.Guest == 80 || f.Guest == 8080:
			return "http://" + f.Addr() + "/"
		case f.Guest == 443 || f.Guest == 8443:
			return "https://" + f.Addr() + "/"
		}
	}
	return ""
}
