package socket

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// ProtoInfo describes a protocol of a registered family as a line of Linux's
// /proc/net/protocols does.
type ProtoInfo struct {
	// Name is the protocol's; AF_INET6's end in v6, as Linux's do.
	Name   string
	Family int
	// Sockets are open, Bytes are what they hold, as in [MemStat].
	Sockets int
	Bytes   int
	// Abilities are the optional interfaces that the protocol has.
	Abilities []string
}

// protoAbilities are the optional interfaces of a Proto by their names.
var protoAbilities = []struct {
	name string
	has  func(p Proto) bool
}{
	{"Listener", is[Listener]},
	{"Binder", is[Binder]},
	{"Ioctler", is[Ioctler]},
	{"OptionWatcher", is[OptionWatcher]},
	{"Queuer", is[Queuer]},
	{"BufferSizer", is[BufferSizer]},
	{"LowatLimiter", is[LowatLimiter]},
	{"PeerCredentialer", is[PeerCredentialer]},
	{"Aborter", is[Aborter]},
	{"Filterer", is[Filterer]},
	{"MemoryKeeper", is[MemoryKeeper]},
}

func is[T any](p Proto) bool {
	_, ok := p.(T)
	return ok
}

// Protocols lists the protocols of the registered families, and those that
// went while sockets of theirs stayed, by family and name.
func Protocols() []ProtoInfo {
	var list []ProtoInfo
	at := func(family int, p Proto) *ProtoInfo {
		name := protoName(family, p)
		for i := range list {
			if list[i].Family == family && list[i].Name == name {
				return &list[i]
			}
		}
		info := ProtoInfo{Name: name, Family: family}
		for _, a := range protoAbilities {
			if a.has(p) {
				info.Abilities = append(info.Abilities, a.name)
			}
		}
		list = append(list, info)
		return &list[len(list)-1]
	}
	for _, f := range Families() {
		if f.Protos == nil {
			continue
		}
		for _, p := range f.Protos() {
			at(f.Number, p)
		}
	}
	for _, s := range sockets() {
		i := at(s.Family, s.Sk.Prot)
		i.Sockets++
		i.Bytes += s.Sk.queued()
	}
	slices.SortStableFunc(list, func(a, b ProtoInfo) int {
		return cmp.Or(cmp.Compare(a.Family, b.Family), cmp.Compare(a.Name, b.Name))
	})
	return list
}

func protoName(family int, p Proto) string {
	name := p.Name()
	if family == AF_INET6 && !strings.HasSuffix(name, "v6") {
		name += "v6" // the one Proto serves both families
	}
	return name
}

// WriteProtocols writes the list of [Protocols] as a table.
func WriteProtocols(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "%-16s %7s %10s  %s\n", "protocol", "sockets", "memory", "abilities"); err != nil {
		return err
	}
	for _, p := range Protocols() {
		if _, err := fmt.Fprintf(w, "%-16s %7d %10d  %v\n", p.Name, p.Sockets, p.Bytes, p.Abilities); err != nil {
			return err
		}
	}
	return nil
}
