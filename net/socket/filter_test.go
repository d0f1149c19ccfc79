package socket_test

import (
	"encoding/binary"
	"testing"

	"golang.org/x/net/bpf"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/socket"
)

func assemble(t testing.TB, code ...bpf.Instruction) []byte {
	t.Helper()
	prog, err := bpf.Assemble(code)
	if err != nil {
		t.Fatal(err)
	}
	return socket.AppendSockFilter(nil, prog...)
}

// TestFilterRuns runs programs over the packet "0123456789".
func TestFilterRuns(t *testing.T) {
	packet := []byte("0123456789")
	for name, c := range map[string]struct {
		prog []byte
		want string // "drop", or what passes
	}{
		"all":            {assemble(t, bpf.RetConstant{Val: 1 << 31}), "0123456789"},
		"none":           {assemble(t, bpf.RetConstant{Val: 0}), "drop"},
		"a part":         {assemble(t, bpf.RetConstant{Val: 3}), "012"},
		"its length":     {assemble(t, bpf.LoadExtension{Num: bpf.ExtLen}, bpf.ALUOpConstant{Op: bpf.ALUOpSub, Val: 2}, bpf.RetA{}), "01234567"},
		"past the end":   {assemble(t, bpf.LoadAbsolute{Off: 9, Size: 2}, bpf.RetConstant{Val: 5}), "drop"},
		"far indirect":   {assemble(t, bpf.LoadConstant{Dst: bpf.RegX, Val: 1<<32 - 1}, bpf.LoadIndirect{Off: 0, Size: 1}, bpf.RetConstant{Val: 5}), "drop"},
		"division by X":  {assemble(t, bpf.ALUOpX{Op: bpf.ALUOpDiv}, bpf.RetConstant{Val: 5}), "drop"},
		"matching byte":  {assemble(t, bpf.LoadAbsolute{Off: 4, Size: 1}, bpf.JumpIf{Cond: bpf.JumpEqual, Val: '4', SkipFalse: 1}, bpf.RetConstant{Val: 9}, bpf.RetConstant{Val: 0}), "012345678"},
		"negated length": {socket.AppendSockFilter(nil, bpf.RawInstruction{Op: 0, K: 1<<32 - 4}, bpf.RawInstruction{Op: 0x84}, bpf.RawInstruction{Op: 0x16}), "0123"},
	} {
		f, err := socket.ParseFilter(c.prog)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		cut, ok := f.Run(packet)
		got := string(cut)
		if !ok {
			got = "drop"
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestFilterRefused has a program for each check.
func TestFilterRefused(t *testing.T) {
	ret := bpf.RawInstruction{Op: 6, K: 1}
	for name, prog := range map[string][]bpf.RawInstruction{
		"none":                 {},
		"too many":             make([]bpf.RawInstruction, socket.BPF_MAXINSNS+1),
		"no return":            {{Op: 0, K: 1}},
		"unknown":              {{Op: 0x0e}, ret},
		"unknown and high":     {{Op: 0x100}, ret},
		"jump past the end":    {{Op: 5, K: 1}, ret},
		"jump far":             {{Op: 5, K: 1<<32 - 1}, ret},
		"true past the end":    {{Op: 0x15, Jt: 1}, ret},
		"false past the end":   {{Op: 0x15, Jf: 200}, ret},
		"divided by zero":      {{Op: 0x34}, ret},
		"modulo zero":          {{Op: 0x94}, ret},
		"shifted too far":      {{Op: 0x64, K: 32}, ret},
		"scratch past the end": {{Op: 2, K: 16}, ret},
		"scratch not written":  {{Op: 0x60}, ret},
		"written on one way":   {{Op: 0x15, Jf: 1}, {Op: 2}, {Op: 0x60}, ret},
		"ancillary":            {{Op: 0x28, K: 1<<32 - 0x1000}, ret},
	} {
		if _, err := socket.ParseFilter(socket.AppendSockFilter(nil, prog...)); err != errno.EINVAL {
			t.Errorf("%s: %v, want EINVAL", name, err)
		}
	}
	both := []bpf.RawInstruction{{Op: 0x15, Jf: 1}, {Op: 2, K: 3}, ret}
	if _, err := socket.ParseFilter(socket.AppendSockFilter(nil, both...)); err != nil {
		t.Errorf("written and not read: %v", err)
	}
}

// FuzzFilter runs whatever program is taken: it must end, and pass no more
// than there is.
func FuzzFilter(f *testing.F) {
	f.Add(assemble(f, bpf.RetConstant{Val: 1}), []byte("packet"))
	f.Add(assemble(f, bpf.LoadConstant{Dst: bpf.RegX, Val: 1<<32 - 1}, bpf.LoadIndirect{Off: 1 << 30, Size: 4}, bpf.RetA{}), []byte("packet"))
	f.Add(assemble(f, bpf.LoadMemShift{Off: 0}, bpf.LoadIndirect{Off: 2, Size: 2}, bpf.RetA{}), []byte("Epacket"))
	f.Add(assemble(f, bpf.StoreScratch{Src: bpf.RegA, N: 15}, bpf.LoadScratch{Dst: bpf.RegX, N: 15}, bpf.ALUOpX{Op: bpf.ALUOpMod}, bpf.RetA{}), []byte{})
	f.Fuzz(func(t *testing.T, prog, packet []byte) {
		filter, err := socket.ParseFilter(prog)
		if err != nil {
			if err != errno.EINVAL {
				t.Fatal(err)
			}
			return
		}
		if cut, ok := filter.Run(packet); len(cut) > len(packet) || !ok && cut != nil {
			t.Fatalf("%d of %d bytes pass, %v", len(cut), len(packet), ok)
		}
	})
}

func BenchmarkFilter(b *testing.B) {
	// tcp port 80, as tcpdump compiles it for IPv4.
	f, err := socket.ParseFilter(assemble(b,
		bpf.LoadAbsolute{Off: 12, Size: 2}, bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0x800, SkipFalse: 6},
		bpf.LoadAbsolute{Off: 23, Size: 1}, bpf.JumpIf{Cond: bpf.JumpEqual, Val: 6, SkipFalse: 4},
		bpf.LoadMemShift{Off: 14}, bpf.LoadIndirect{Off: 16, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 80, SkipFalse: 1}, bpf.RetConstant{Val: 0xffff}, bpf.RetConstant{}))
	if err != nil {
		b.Fatal(err)
	}
	packet := make([]byte, 60)
	binary.BigEndian.PutUint16(packet[12:], 0x800)
	packet[14], packet[23] = 0x45, 6
	binary.BigEndian.PutUint16(packet[36:], 80)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := f.Run(packet); !ok {
			b.Fatal("dropped")
		}
	}
}
