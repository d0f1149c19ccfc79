package socket

import (
	"encoding/binary"

	"github.com/tamanet/tamanet/net/errno"
)

// SizeofUcred is the length of C's struct ucred in bytes.
const SizeofUcred = 12

// A Ucred is who a process is to its peers: Linux's struct ucred.
type Ucred struct {
	Pid      int32
	Uid, Gid uint32
}

// NoUcred is what SO_PEERCRED reads where there is no peer: the invalid user
// and group (INVALID_UID).
var NoUcred = Ucred{Pid: 0, Uid: ^uint32(0), Gid: ^uint32(0)}

// overflowID is how an invalid user is shown to others (overflowuid).
const overflowID = 65534

// Munged returns c with an invalid user or group as others see it
// (from_kuid_munged).
func (c Ucred) Munged() Ucred {
	if c.Uid == NoUcred.Uid {
		c.Uid = overflowID
	}
	if c.Gid == NoUcred.Gid {
		c.Gid = overflowID
	}
	return c
}

// Append appends C's struct ucred to b.
func (c Ucred) Append(b []byte) []byte {
	b = binary.NativeEndian.AppendUint32(b, uint32(c.Pid))
	b = binary.NativeEndian.AppendUint32(b, c.Uid)
	return binary.NativeEndian.AppendUint32(b, c.Gid)
}

// parseUcred reads C's struct ucred from b, which holds one.
func parseUcred(b []byte) Ucred {
	return Ucred{
		Pid: int32(binary.NativeEndian.Uint32(b)),
		Uid: binary.NativeEndian.Uint32(b[4:]),
		Gid: binary.NativeEndian.Uint32(b[8:]),
	}
}

// A PeerCredentialer is a Proto that knows who a Sock's peer is.
type PeerCredentialer interface {
	// PeerCred returns the peer, or NoUcred. (sk_peer_cred)
	PeerCred(sk *Sock) Ucred
}

func getPeerCred(sk *Sock, val []byte) (int, error) {
	c := NoUcred
	if p, ok := sk.Prot.(PeerCredentialer); ok {
		c = p.PeerCred(sk)
	}
	return copy(val, c.Append(nil)), nil
}

// passCredOption is SO_PASSCRED, which only families with control messages of
// credentials have (sk_may_scm_recv).
func passCredOption() Option {
	o := flagOption(SO_PASSCRED, "SO_PASSCRED", FlagPassCred)
	set, get := o.Set, o.Get
	o.Set = func(sk *Sock, val []byte) error {
		if sk.Family != AF_UNIX {
			return errno.EOPNOTSUPP
		}
		return set(sk, val)
	}
	o.Get = func(sk *Sock, val []byte) (int, error) {
		if sk.Family != AF_UNIX {
			return 0, errno.EOPNOTSUPP
		}
		return get(sk, val)
	}
	return o
}
