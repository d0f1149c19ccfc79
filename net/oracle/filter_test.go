//go:build linux

package oracle

import (
	"fmt"

	"golang.org/x/net/bpf"

	"github.com/tamanet/tamanet/net/socket"
)

// program is the C form of a filter.
func program(code ...bpf.Instruction) []byte {
	prog, err := bpf.Assemble(code)
	if err != nil {
		panic(err)
	}
	return socket.AppendSockFilter(nil, prog...)
}

func insn(op uint16, jt, jf uint8, k uint32) bpf.RawInstruction {
	return bpf.RawInstruction{Op: op, Jt: jt, Jf: jf, K: k}
}

func (r *run) Attach(fd int, prog []byte) {
	r.outcome(fmt.Sprintf("attach %d", len(prog)/socket.SizeofSockFilter), r.sys.(controlSys).attach(fd, prog))
}

func filterScenarios() (list []scenario) {
	pass := program(bpf.RetConstant{Val: 100})
	for _, typ := range []int{dgram, seqpacket} {
		list = append(list, unixScenario("filter/of messages/"+typeNames[typ], func(r *unixRun) {
			a, b := r.pair(typ)
			send := func() {
				r.Send(a, "hello", 0)
				r.Send(a, "", 0)
				r.outq(a)
				for range 2 {
					r.RecvMsg(b, socket.MSG_DONTWAIT, 10)
				}
			}
			for _, prog := range [][]byte{
				pass,
				program(bpf.RetConstant{Val: 0}),
				program(bpf.RetConstant{Val: 3}),
				program(bpf.LoadExtension{Num: bpf.ExtLen}, bpf.RetA{}),
				program(bpf.LoadAbsolute{Off: 0, Size: 1}, bpf.JumpIf{Cond: bpf.JumpEqual, Val: 'h', SkipFalse: 1}, bpf.RetConstant{Val: 4}, bpf.RetConstant{}),
				program(bpf.LoadAbsolute{Off: 4, Size: 4}, bpf.RetConstant{Val: 4}),
				program(bpf.LoadConstant{Dst: bpf.RegA, Val: 9}, bpf.ALUOpX{Op: bpf.ALUOpDiv}, bpf.RetConstant{Val: 4}),
				program(bpf.LoadAbsolute{Off: 1, Size: 2}, bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 7}, bpf.RetA{}),
				program(bpf.LoadMemShift{Off: 0}, bpf.TXA{}, bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 4}, bpf.RetA{}),
				socket.AppendSockFilter(nil, insn(0, 0, 0, 1<<32-2), insn(0x84, 0, 0, 0), insn(0x16, 0, 0, 0)),
			} {
				r.Attach(b, prog)
				send()
			}
			r.SetInt(b, socket.SOL_SOCKET, socket.SO_DETACH_FILTER, 0)
			send()
		}))
	}
	list = append(list, unixScenario("filter/indirect load that wraps", func(r *unixRun) {
		a, b := r.pair(dgram)
		r.Attach(b, program(bpf.LoadConstant{Dst: bpf.RegX, Val: 1<<32 - 1}, bpf.LoadIndirect{Off: 2, Size: 1}, bpf.RetConstant{Val: 2}))
		r.Send(a, "hello", 0)
		r.Recv(b, 10, socket.MSG_DONTWAIT)
	}))
	list = append(list, unixScenario("filter/lock and detach", func(r *unixRun) {
		_, b := r.pair(dgram)
		r.SetInt(b, socket.SOL_SOCKET, socket.SO_DETACH_FILTER, 0)
		r.GetOpt(b, socket.SOL_SOCKET, socket.SO_LOCK_FILTER, 4)
		r.GetOpt(b, socket.SOL_SOCKET, socket.SO_GET_FILTER, 0)
		r.Attach(b, pass)
		r.GetOpt(b, socket.SOL_SOCKET, socket.SO_GET_FILTER, 0)
		r.SetOpt(b, socket.SOL_SOCKET, socket.SO_DETACH_FILTER, nil)
		r.SetInt(b, socket.SOL_SOCKET, socket.SO_DETACH_FILTER, 0)
		r.SetInt(b, socket.SOL_SOCKET, socket.SO_DETACH_FILTER, 0)
		r.SetInt(b, socket.SOL_SOCKET, socket.SO_LOCK_FILTER, 0)
		r.Attach(b, pass)
		r.SetInt(b, socket.SOL_SOCKET, socket.SO_LOCK_FILTER, 7)
		r.GetOpt(b, socket.SOL_SOCKET, socket.SO_LOCK_FILTER, 4)
		r.Attach(b, pass)
		r.SetInt(b, socket.SOL_SOCKET, socket.SO_DETACH_FILTER, 0)
		r.SetInt(b, socket.SOL_SOCKET, socket.SO_LOCK_FILTER, 0)
		r.SetInt(b, socket.SOL_SOCKET, socket.SO_LOCK_FILTER, 1)
		r.GetOpt(b, socket.SOL_SOCKET, socket.SO_DETACH_FILTER, 4)
	}))
	ret := insn(6, 0, 0, 1)
	for name, prog := range map[string][]bpf.RawInstruction{
		"empty":                {},
		"most":                 append(make([]bpf.RawInstruction, 4095), ret),
		"too many":             append(make([]bpf.RawInstruction, 4096), ret),
		"no return":            {insn(0, 0, 0, 1)},
		"returns X":            {insn(0x0e, 0, 0, 0)},
		"jump past the end":    {insn(5, 0, 0, 1), ret},
		"jump to the end":      {insn(5, 0, 0, 0), ret},
		"jump far":             {insn(5, 0, 0, 1<<32-1), ret},
		"true past the end":    {insn(0x15, 1, 0, 0), ret},
		"false past the end":   {insn(0x15, 0, 1, 0), ret},
		"divided by zero":      {insn(0x34, 0, 0, 0), ret},
		"divided by X":         {insn(0x3c, 0, 0, 0), ret},
		"modulo zero":          {insn(0x94, 0, 0, 0), ret},
		"shifted by 31":        {insn(0x64, 0, 0, 31), ret},
		"shifted by 32":        {insn(0x64, 0, 0, 32), ret},
		"scratch 15":           {insn(2, 0, 0, 15), ret},
		"scratch 16":           {insn(2, 0, 0, 16), ret},
		"scratch not written":  {insn(0x60, 0, 0, 0), ret},
		"scratch written":      {insn(2, 0, 0, 0), insn(0x60, 0, 0, 0), ret},
		"written on one way":   {insn(0x15, 0, 1, 0), insn(2, 0, 0, 0), insn(0x60, 0, 0, 0), ret},
		"written on both ways": {insn(0x15, 0, 2, 0), insn(2, 0, 0, 0), insn(5, 0, 0, 1), insn(2, 0, 0, 0), insn(0x60, 0, 0, 0), ret},
		"ancillary unknown":    {insn(0x20, 0, 0, 1<<32-1), ret},
		"ancillary protocol":   {insn(0x20, 0, 0, 1<<32-0x1000), ret},
		"length into X":        {insn(0x81, 0, 0, 0), ret},
	} {
		list = append(list, unixScenario("filter/checked/"+name, func(r *unixRun) {
			_, b := r.pair(dgram)
			r.Attach(b, socket.AppendSockFilter(nil, prog...))
		}))
	}
	// Every code, known or not, with a constant that all take.
	list = append(list, unixScenario("filter/codes", func(r *unixRun) {
		_, b := r.pair(dgram)
		for op := range uint16(0x120) {
			if op == 0x81 {
				continue // a difference of its own
			}
			r.note("code %#x", op)
			r.Attach(b, socket.AppendSockFilter(nil, insn(2, 0, 0, 1), insn(op, 0, 0, 1), ret, ret))
		}
	}))
	return list
}
