package socket

import "strings"

// SizeofSockaddrUn is the longest struct sockaddr_un in bytes
// (include/uapi/linux/un.h).
const SizeofSockaddrUn = sizeofFamily + 108

// SockaddrUnix returns the AF_UNIX address called name: a path, to which the
// terminating zero is added; an abstract name if it starts with a zero byte;
// or, if empty, the unnamed one.
func SockaddrUnix(name string) Sockaddr {
	if name != "" && name[0] != 0 {
		name += "\x00"
	}
	return Sockaddr{Family: AF_UNIX, Len: uint16(sizeofFamily + len(name)), Data: name}
}

// unixString writes an AF_UNIX address as ss does: "/run/log", "@abstract",
// or "*" when unnamed.
func (a Sockaddr) unixString() string {
	switch {
	case a.Data == "" || a.Len <= sizeofFamily:
		return "*"
	case a.Data[0] == 0:
		return "@" + strings.ReplaceAll(a.Data[1:], "\x00", "@")
	}
	path, _, _ := strings.Cut(a.Data, "\x00")
	return path
}
