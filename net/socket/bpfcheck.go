package socket

import "golang.org/x/net/bpf"

// Codes of classic BPF (include/uapi/linux/bpf_common.h, filter.h).
const (
	bpfLd   = 0x00
	bpfLdx  = 0x01
	bpfSt   = 0x02
	bpfStx  = 0x03
	bpfAlu  = 0x04
	bpfJmp  = 0x05
	bpfRet  = 0x06
	bpfMisc = 0x07

	bpfK    = 0x00
	bpfX    = 0x08
	bpfImm  = 0x00
	bpfAbs  = 0x20
	bpfInd  = 0x40
	bpfMem  = 0x60
	bpfLen  = 0x80
	bpfMsh  = 0xa0
	bpfNeg  = 0x80
	bpfMod  = 0x90
	bpfDiv  = 0x30
	bpfLsh  = 0x60
	bpfRsh  = 0x70
	bpfJA   = 0x00
	bpfRetA = 0x10

	bpfMemWords = 16

	// bpfNegative is the lowest of the negative offsets.
	bpfNegative = 1 << 31
)

// bpfValid holds the codes that Linux knows (chk_code_allowed).
var bpfValid = func() (valid [256]bool) {
	set := func(codes ...int) {
		for _, c := range codes {
			valid[c] = true
		}
	}
	for op := 0; op <= 0xa0; op += 0x10 { // ADD to XOR, NEG apart
		if op != bpfNeg {
			set(bpfAlu|op|bpfK, bpfAlu|op|bpfX)
		}
	}
	set(bpfAlu | bpfNeg)
	for size := 0; size <= 0x10; size += 0x08 { // W, H, B
		set(bpfLd|size|bpfAbs, bpfLd|size|bpfInd)
	}
	set(bpfLd|bpfImm, bpfLd|bpfMem, bpfLd|bpfLen)
	set(bpfLdx|bpfImm, bpfLdx|bpfMem, bpfLdx|bpfLen, bpfLdx|0x10|bpfMsh)
	set(bpfSt, bpfStx, bpfRet|bpfK, bpfRet|bpfRetA, bpfMisc, bpfMisc|0x80)
	set(bpfJmp | bpfJA)
	for op := 0x10; op <= 0x40; op += 0x10 { // JEQ JGT JGE JSET
		set(bpfJmp|op|bpfK, bpfJmp|op|bpfX)
	}
	return valid
}()

// checkClassic is Linux's bpf_check_classic.
func checkClassic(prog []bpf.RawInstruction) bool {
	for pc, i := range prog {
		if i.Op > 0xff || !bpfValid[i.Op] || !checkConstant(i) || !checkJump(i, pc, len(prog)) {
			return false
		}
	}
	last := prog[len(prog)-1].Op
	return (last == bpfRet|bpfK || last == bpfRet|bpfRetA) && checkLoadAndStores(prog)
}

// checkConstant refuses what no run can do with the instruction's constant.
func checkConstant(i bpf.RawInstruction) bool {
	switch i.Op {
	case bpfAlu | bpfDiv | bpfK, bpfAlu | bpfMod | bpfK:
		return i.K != 0
	case bpfAlu | bpfLsh | bpfK, bpfAlu | bpfRsh | bpfK:
		return i.K < 32
	case bpfLd | bpfMem, bpfLdx | bpfMem, bpfSt, bpfStx:
		return i.K < bpfMemWords
	case bpfLdx | bpfLen:
		return false // the VM would load the length into the wrong register
	}
	// Of the negative offsets none is there.
	load := i.Op&0x07 == bpfLd && (i.Op&0xe0 == bpfAbs || i.Op&0xe0 == bpfInd)
	return !load && i.Op != bpfLdx|0x10|bpfMsh || i.K < bpfNegative
}

// checkJump refuses jumps past the end.
func checkJump(i bpf.RawInstruction, pc, n int) bool {
	left := n - pc - 1
	switch {
	case i.Op == bpfJmp|bpfJA:
		return uint64(i.K) < uint64(left)
	case i.Op&0x07 == bpfJmp:
		return int(i.Jt) < left && int(i.Jf) < left
	}
	return true
}

// checkLoadAndStores refuses programs that on some way read a word of scratch
// memory before it is written.
func checkLoadAndStores(prog []bpf.RawInstruction) bool {
	// masks[pc] has the words that every jump to pc has written.
	masks := make([]uint16, len(prog))
	for i := range masks {
		masks[i] = ^uint16(0)
	}
	valid := uint16(0)
	for pc, i := range prog {
		valid &= masks[pc]
		switch {
		case i.Op == bpfSt || i.Op == bpfStx:
			valid |= 1 << i.K
		case i.Op == bpfLd|bpfMem || i.Op == bpfLdx|bpfMem:
			if valid&(1<<i.K) == 0 {
				return false
			}
		case i.Op == bpfJmp|bpfJA:
			masks[pc+1+int(i.K)] &= valid
			valid = ^uint16(0)
		case i.Op&0x07 == bpfJmp:
			masks[pc+1+int(i.Jt)] &= valid
			masks[pc+1+int(i.Jf)] &= valid
			valid = ^uint16(0)
		}
	}
	return true
}

// translate gives the instruction in the terms of the VM, which lacks some.
func translate(raw bpf.RawInstruction) bpf.Instruction {
	switch raw.Op {
	case bpfAlu | bpfNeg:
		return bpf.ALUOpConstant{Op: bpf.ALUOpMul, Val: ^uint32(0)} // A times -1
	case bpfLd | bpfLen:
		return bpf.LoadExtension{Num: bpf.ExtLen}
	}
	return raw.Disassemble()
}
