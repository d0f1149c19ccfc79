//go:build linux

package oracle

import (
	"fmt"

	"github.com/tamanet/tamanet/net/socket"
)

// ints are the options that are an int, with values to try.
var ints = []struct {
	label       string
	level, name int
	values      []int
}{
	{"SO_REUSEADDR", socket.SOL_SOCKET, socket.SO_REUSEADDR, []int{0, 1, 2, -1}},
	{"SO_REUSEPORT", socket.SOL_SOCKET, socket.SO_REUSEPORT, []int{0, 1, 2, -1}},
	{"SO_TYPE", socket.SOL_SOCKET, socket.SO_TYPE, []int{1}},
	{"SO_DOMAIN", socket.SOL_SOCKET, socket.SO_DOMAIN, []int{1}},
	{"SO_PROTOCOL", socket.SOL_SOCKET, socket.SO_PROTOCOL, []int{1}},
	{"SO_ERROR", socket.SOL_SOCKET, socket.SO_ERROR, []int{1}},
	{"SO_ACCEPTCONN", socket.SOL_SOCKET, socket.SO_ACCEPTCONN, []int{1}},
	{"SO_BROADCAST", socket.SOL_SOCKET, socket.SO_BROADCAST, []int{0, 1, 5}},
	{"SO_KEEPALIVE", socket.SOL_SOCKET, socket.SO_KEEPALIVE, []int{0, 1, 5}},
	{"unknown of SOL_SOCKET", socket.SOL_SOCKET, 999, []int{1}},
	{"TCP_NODELAY", socket.SOL_TCP, 1, []int{0, 1, 7}},
	{"TCP_KEEPIDLE", socket.SOL_TCP, 4, []int{1, 100, 32767, 0, -1, 32768}},
	{"TCP_KEEPINTVL", socket.SOL_TCP, 5, []int{1, 100, 32767, 0, -1, 32768}},
	{"TCP_KEEPCNT", socket.SOL_TCP, 6, []int{1, 100, 127, 0, -1, 128}},
	{"unknown of SOL_TCP", socket.SOL_TCP, 999, []int{1}},
	{"IP_TTL", socket.SOL_IP, 2, []int{1, 64, 255, -1, 0, 256, -2}},
	{"IP_TOS", socket.SOL_IP, 1, []int{0, 0x10, 0xff, 0x100, -1, 3}},
	{"unknown of SOL_IP", socket.SOL_IP, 999, []int{1}},
	{"IPV6_UNICAST_HOPS", socket.SOL_IPV6, 16, []int{1, 64, 255, -1, 0, 256, -2}},
	{"IPV6_TCLASS", socket.SOL_IPV6, 67, []int{0, 0x10, 0xff, -1, 0x100, -2}},
	{"IPV6_V6ONLY", socket.SOL_IPV6, 26, []int{0, 1, 2}},
	{"unknown of SOL_UDP", socket.SOL_UDP, 999, []int{1}},
	{"unknown level", 1234, 1, []int{1}},
	{"SOL_RAW", socket.SOL_RAW, 1, []int{1}},
}

func optionScenarios() []scenario {
	var list []scenario
	for _, o := range ints {
		for _, typ := range []int{stream, dgram} {
			kind := map[int]string{stream: "stream", dgram: "dgram"}[typ]
			list = append(list, both("option/"+o.label+"/"+kind, func(r *run, family int) {
				fd := r.open(family, typ)
				r.GetOpt(fd, o.level, o.name, 4)
				for _, v := range o.values {
					r.SetInt(fd, o.level, o.name, v)
					r.GetOpt(fd, o.level, o.name, 4)
				}
			})...)
		}
		list = append(list, both("option/"+o.label+"/lengths", func(r *run, family int) {
			fd := r.open(family, stream)
			for _, n := range []int{0, 1, 2, 3, 4, 5, 8, 16} {
				b := make([]byte, n)
				if n > 0 {
					b[0] = 1
				}
				r.SetOpt(fd, o.level, o.name, b)
				r.GetOpt(fd, o.level, o.name, n)
			}
		})...)
	}
	for _, o := range []struct {
		label  string
		name   int
		values [][]byte
	}{
		{"SO_LINGER", socket.SO_LINGER, [][]byte{
			linger(1, 3), linger(0, 7), linger(2, 0), linger(1, 100000),
			nil, linger(1, 1)[:4], linger(1, 1)[:7], append(linger(1, 9), 0, 0),
		}},
		{"SO_RCVTIMEO", socket.SO_RCVTIMEO, timevals},
		{"SO_SNDTIMEO", socket.SO_SNDTIMEO, timevals},
		{"SO_RCVTIMEO_NEW", socket.SO_RCVTIMEO_NEW, timevals},
		{"SO_SNDTIMEO_NEW", socket.SO_SNDTIMEO_NEW, timevals},
	} {
		list = append(list, both("option/"+o.label, func(r *run, family int) {
			fd := r.open(family, stream)
			r.GetOpt(fd, socket.SOL_SOCKET, o.name, 16)
			for _, v := range o.values {
				r.SetOpt(fd, socket.SOL_SOCKET, o.name, v)
				r.GetOpt(fd, socket.SOL_SOCKET, o.name, 16)
			}
			for _, n := range []int{0, 1, 4, 7, 8, 15} {
				r.GetOpt(fd, socket.SOL_SOCKET, o.name, n)
			}
		})...)
	}
	for label, name := range map[string]int{"SO_SNDBUF": socket.SO_SNDBUF, "SO_RCVBUF": socket.SO_RCVBUF} {
		list = append(list, both("option/"+label, func(r *run, family int) {
			for _, typ := range []int{stream, dgram} {
				fd := r.open(family, typ)
				for _, v := range []int{8192, 50000, 0, 1, -1, 100000, 1 << 30} {
					r.SetInt(fd, socket.SOL_SOCKET, name, v)
					r.GetOpt(fd, socket.SOL_SOCKET, name, 4)
				}
			}
		})...)
	}
	list = append(list, both("option/linger without end", func(r *run, family int) {
		fd := r.open(family, stream)
		r.SetOpt(fd, socket.SOL_SOCKET, socket.SO_LINGER, linger(1, 0xffffffff))
		r.GetOpt(fd, socket.SOL_SOCKET, socket.SO_LINGER, 8)
	})...)
	list = append(list, both("option/timeout of ages", func(r *run, family int) {
		fd := r.open(family, stream)
		r.SetOpt(fd, socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval(1<<40, 0))
		r.GetOpt(fd, socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16)
	})...)
	return append(list, both("option/TCP_INFO", func(r *run, family int) {
		client, _, l := r.connected(family)
		for _, fd := range []int{r.open(family, stream), client, l} {
			b := make([]byte, 104)
			n, err := r.getsockopt(fd, socket.SOL_TCP, 11, b)
			r.outcome("TCP_INFO", err, n, fmt.Sprintf("state %d", b[0]))
			r.SetInt(fd, socket.SOL_TCP, 11, 1)
		}
	})...)
}

var timevals = [][]byte{
	timeval(1, 0), timeval(0, 0), timeval(3, 500000), timeval(0, 1000000), timeval(0, -1), timeval(-1, 0),
	nil, timeval(1, 0)[:8], timeval(1, 0)[:15], append(timeval(2, 0), 1, 2, 3),
}
