package socket

import (
	"encoding/binary"
	"strconv"

	"github.com/tamanet/tamanet/net/errno"
)

// SizeofCmsghdr is the length of C's struct cmsghdr in bytes: a size_t, then
// the level and the type. What follows is aligned to a size_t.
const (
	SizeofCmsghdr = cmsgAlign + 8
	cmsgAlign     = strconv.IntSize / 8
)

// CmsgLen returns the cmsg_len of a control message with size bytes of data
// (CMSG_LEN).
func CmsgLen(size int) int { return SizeofCmsghdr + size }

// CmsgSpace returns the room that a control message with size bytes of data
// takes (CMSG_SPACE).
func CmsgSpace(size int) int { return SizeofCmsghdr + (size+cmsgAlign-1)&^(cmsgAlign-1) }

// A Cmsg is one control message.
type Cmsg struct {
	Level, Type int
	Data        []byte // a part of the buffer that was parsed
}

// AppendCmsg appends a control message, with its padding, to b.
func AppendCmsg(b []byte, level, typ int, data []byte) []byte {
	at := len(b)
	b = append(b, make([]byte, CmsgSpace(len(data)))...)
	putCmsghdr(b[at:], CmsgLen(len(data)), level, typ)
	copy(b[at+SizeofCmsghdr:], data)
	return b
}

func putCmsghdr(b []byte, length, level, typ int) {
	putWord(b, cmsgAlign, int64(length))
	binary.NativeEndian.PutUint32(b[cmsgAlign:], uint32(level))
	binary.NativeEndian.PutUint32(b[cmsgAlign+4:], uint32(typ))
}

// NextCmsg returns the first control message in b and the rest of b. ok is
// false at the end, which is where not even a header has room. A length that
// is shorter than a header or longer than b is EINVAL. (CMSG_OK, CMSG_NXTHDR)
func NextCmsg(b []byte) (c Cmsg, rest []byte, ok bool, err error) {
	if len(b) < SizeofCmsghdr {
		return c, nil, false, nil
	}
	length := word(b, cmsgAlign)
	if length < SizeofCmsghdr || length > int64(len(b)) {
		return c, nil, false, errno.EINVAL
	}
	n := int(length)
	c.Level = int(int32(binary.NativeEndian.Uint32(b[cmsgAlign:])))
	c.Type = int(int32(binary.NativeEndian.Uint32(b[cmsgAlign+4:])))
	c.Data = b[SizeofCmsghdr:n]
	return c, b[min(CmsgSpace(n-SizeofCmsghdr), len(b)):], true, nil
}

// PutCmsg stores a control message behind those that m holds already: Linux's
// put_cmsg. One that has no room is cut, or left out, and MSG_CTRUNC set.
func (m *Msghdr) PutCmsg(level, typ int, data []byte) {
	room := m.Control[min(m.Controllen, len(m.Control)):]
	if len(room) < SizeofCmsghdr {
		m.Flags |= MSG_CTRUNC
		return
	}
	length := CmsgLen(len(data))
	if length > len(room) {
		m.Flags |= MSG_CTRUNC
		length = len(room)
	}
	putCmsghdr(room, length, level, typ)
	copy(room[SizeofCmsghdr:length], data)
	m.Controllen += min(CmsgSpace(len(data)), len(room))
}
