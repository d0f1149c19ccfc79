package netdev

import (
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSysctlsReadBackWhatWasSet(t *testing.T) {
	s, err := New(Config{})
	require.NoError(t, err)
	defer s.Close()
	values := map[string]string{
		"net.core.somaxconn":                  "128",
		"net.core.rmem_max":                   "1048576",
		"net.core.wmem_max":                   "65536",
		"net.ipv4.ip_unprivileged_port_start": "0",
		"net.ipv4.ip_nonlocal_bind":           "1",
		"net.ipv6.bindv6only":                 "1",
		"net.ipv4.tcp_mem":                    "100 100 200",
		"net.ipv4.tcp_congestion_control":     "reno",
		"net.ipv4.tcp_recovery":               "3",
		"net.ipv4.tcp_sack":                   "0",
		"net.ipv4.tcp_moderate_rcvbuf":        "0",
		"net.ipv4.tcp_rto_min_us":             "123000",
		"net.ipv4.tcp_rmem":                   "4096 65536 131072",
		"net.ipv4.tcp_wmem":                   "4096 32768 65536",
	}
	for name := range sysctls {
		value, ok := values[name]
		require.True(t, ok, "%s has no value here", name)
		before, err := s.GetSysctl(name)
		require.NoError(t, err)
		require.NotEqual(t, value, before, name)
		require.NoError(t, s.SetSysctl(name, before), "%s: what is read can be written", name)
		require.NoError(t, s.SetSysctl(name, value))
		got, err := s.GetSysctl(name)
		require.NoError(t, err)
		require.Equal(t, value, got, name)
	}
	require.EqualValues(t, 200*4096, s.Sysctl.MemMax.Load(), "tcp_mem is in pages")
}

func TestSysctlsThatCannotBeChangeNothing(t *testing.T) {
	s, err := New(Config{})
	require.NoError(t, err)
	defer s.Close()
	for _, tc := range []struct{ name, value, says string }{
		{"net.ipv4.tcp_congestion_control", "bbr", "there are: reno cubic"},
		{"net.ipv4.tcp_congestion_control", "", "there are: reno cubic"},
		{"net.ipv4.tcp_recovery", "8", "from 0 to 7"},
		{"net.ipv4.tcp_sack", "on", "from 0 to 1"},
		{"net.ipv4.tcp_rmem", "4096 65536", "3 number(s)"},
		{"net.ipv4.tcp_rmem", "4096 65536 1024", "in that order"},
		{"net.ipv4.tcp_wmem", "0 1 2", "from 1 to"},
		{"net.ipv4.tcp_rto_min_us", "1", "from 1000 to"},
		{"net.ipv4.tcp_mem", "3 2 1", "do not fall"},
		{"net.core.somaxconn", "99999999999999999999", "from 1 to 65535"},
		{"net.ipv4.ip_nonlocal_bind", "2", "from 0 to 1"},
	} {
		before, err := s.GetSysctl(tc.name)
		require.NoError(t, err)
		require.ErrorContains(t, s.SetSysctl(tc.name, tc.value), tc.says, tc.name)
		after, err := s.GetSysctl(tc.name)
		require.NoError(t, err)
		require.Equal(t, before, after, tc.name)
	}
	require.ErrorIs(t, s.SetSysctl("net.ipv4.tcp_frob", "1"), fs.ErrNotExist)
	_, err = s.GetSysctl("net.ipv4.tcp_frob")
	require.ErrorIs(t, err, fs.ErrNotExist)
}
