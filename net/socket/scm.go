package socket

import (
	"encoding/binary"

	"github.com/tamanet/tamanet/net/errno"
)

// Types of control messages of level SOL_SOCKET (include/linux/socket.h).
const (
	SCM_RIGHTS      = 1
	SCM_CREDENTIALS = 2
)

// scmMaxFD is how many descriptors one message may carry (SCM_MAX_FD).
const scmMaxFD = 253

// A FileList holds files that are passed in a message: Linux's struct
// scm_fp_list. Each counts as a descriptor of its file, so that a socket that
// is only in flight stays open.
type FileList struct{ files []*file }

// hold counts a descriptor that no table has, unless the last one has gone
// and the file is being closed. The caller has a reference.
func (f *file) hold() bool {
	for {
		n := f.fds.Load()
		if n == 0 {
			return false
		}
		if f.fds.CompareAndSwap(n, n+1) {
			f.refs.Add(1)
			return true
		}
	}
}

// unhold undoes hold, as Close does.
func (f *file) unhold() {
	f.dropDescriptor()
	f.put()
}

// Put closes the list's files (scm_fp destroy). A nil list is empty.
func (l *FileList) Put() {
	if l == nil {
		return
	}
	for _, f := range l.files {
		f.unhold()
	}
	l.files = nil
}

// Dup returns a second list of the same files (scm_fp_dup).
func (l *FileList) Dup() *FileList {
	if l == nil {
		return nil
	}
	for _, f := range l.files {
		f.hold() // it has the list's descriptor
	}
	return &FileList{files: append([]*file(nil), l.files...)}
}

// Len returns the number of files.
func (l *FileList) Len() int {
	if l == nil {
		return 0
	}
	return len(l.files)
}

// Each calls f for each file's socket. held is how many descriptors, in
// tables and in flight, and calls hold the file.
func (l *FileList) Each(f func(s *Socket, held int)) {
	if l == nil {
		return
	}
	for _, e := range l.files {
		if e.socket != nil {
			f(e.socket, int(e.refs.Load()))
		}
	}
}

// A ScmCookie is what goes along with a message: Linux's struct scm_cookie.
type ScmCookie struct {
	// Cred is the sender as SCM_CREDENTIALS or PassCred told; else NoUcred.
	Cred Ucred
	// Fp are the files of SCM_RIGHTS, or nil. They are the holder's to Put.
	Fp *FileList
}

// ScmSend reads m's control messages of level SOL_SOCKET; those of other
// levels are passed over (Linux scm_send). t is the socket's task; the one that
// made the call counts where it is known. rights tells whether the family
// takes SCM_RIGHTS. The errors:
//
//	EINVAL    a malformed message, an unknown type, too many descriptors
//	EBADF     a descriptor that is not open
//	EPERM     credentials that are not the task's, without the privilege
func (t *Task) ScmSend(m *Msghdr, rights bool) (scm ScmCookie, err error) {
	scm.Cred = NoUcred
	t = m.caller(t)
	for b := m.Control; ; {
		c, rest, ok, err := NextCmsg(b)
		if err == nil && ok && c.Level == SOL_SOCKET {
			err = scm.take(t, c, rights)
		}
		if err != nil {
			scm.Fp.Put()
			return ScmCookie{}, err
		}
		if !ok {
			return scm, nil
		}
		b = rest
	}
}

func (scm *ScmCookie) take(t *Task, c Cmsg, rights bool) error {
	switch {
	case c.Type == SCM_RIGHTS && rights:
		return scm.copyFiles(t, c.Data)
	case c.Type == SCM_CREDENTIALS && len(c.Data) == SizeofUcred:
		cred := parseUcred(c.Data)
		if err := t.checkCreds(cred); err != nil {
			return err
		}
		scm.Cred = cred
		return nil
	}
	return errno.EINVAL
}

// checkCreds refuses to pass for another (scm_check_creds). A task with all
// privileges, as there is on bare metal, may name anybody.
func (t *Task) checkCreds(c Ucred) error {
	switch {
	case c != t.Cred && t.Caps != CAP_FULL_SET:
		return errno.EPERM
	case c.Uid == NoUcred.Uid || c.Gid == NoUcred.Gid:
		return errno.EINVAL
	}
	return nil
}

// copyFiles is Linux's scm_fp_copy.
func (scm *ScmCookie) copyFiles(t *Task, data []byte) error {
	n := len(data) / SizeofInt
	if n == 0 {
		return nil
	}
	if n+scm.Fp.Len() > scmMaxFD {
		return errno.EINVAL
	}
	if scm.Fp == nil {
		scm.Fp = &FileList{}
	}
	for i := range n {
		fd := int(int32(binary.NativeEndian.Uint32(data[i*SizeofInt:])))
		slot, f, err := t.fds.lookup(fd)
		if err != nil {
			return err
		}
		held := f.hold()
		leave(slot, f)
		if !held {
			return errno.EBADF
		}
		scm.Fp.files = append(scm.Fp.files, f)
	}
	return nil
}

// ScmRecv stores what came along with a message in m: the credentials if the
// Sock has SO_PASSCRED, then the files, as new descriptors of the caller, or
// of t where no descriptor was called (Linux scm_recv). What has no room sets
// MSG_CTRUNC, and its files are closed. scm is empty after.
func (sk *Sock) ScmRecv(t *Task, m *Msghdr, scm *ScmCookie, flags int) {
	pass := sk.Flag(FlagPassCred)
	defer func() {
		scm.Fp.Put()
		*scm = ScmCookie{}
	}()
	if m.Control == nil {
		if pass || scm.Fp != nil {
			m.Flags |= MSG_CTRUNC
		}
		return
	}
	if pass {
		var b [SizeofUcred]byte
		m.PutCmsg(SOL_SOCKET, SCM_CREDENTIALS, scm.Cred.Munged().Append(b[:0]))
	}
	if scm.Fp != nil {
		scm.detach(m.caller(t), m, flags&MSG_CMSG_CLOEXEC != 0)
	}
}

// detach gives the files descriptors and tells their numbers: Linux's
// scm_detach_fds.
func (scm *ScmCookie) detach(t *Task, m *Msghdr, cloexec bool) {
	room := m.Control[min(m.Controllen, len(m.Control)):]
	most := min(max(len(room)-SizeofCmsghdr, 0)/SizeofInt, scm.Fp.Len())
	n := 0
	for ; n < most; n++ {
		f := scm.Fp.files[n]
		f.refs.Add(1)
		fd, err := t.fds.install(f, 0, cloexec)
		if err != nil {
			f.refs.Add(-1)
			break
		}
		binary.NativeEndian.PutUint32(room[SizeofCmsghdr+n*SizeofInt:], uint32(fd))
	}
	if n > 0 {
		putCmsghdr(room, CmsgLen(n*SizeofInt), SOL_SOCKET, SCM_RIGHTS)
		m.Controllen += min(CmsgSpace(n*SizeofInt), len(room))
	}
	if n < scm.Fp.Len() {
		m.Flags |= MSG_CTRUNC
	}
}

// caller is the task whose descriptors control messages name: the one that
// made the call, or the socket's own where the call had no descriptor.
func (m *Msghdr) caller(own *Task) *Task {
	if m.task != nil {
		return m.task
	}
	return own
}
