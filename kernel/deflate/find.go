package deflate

import "encoding/binary"

const (
	hashBits  = 18
	shortBits = 15
	depth     = 16 // of the tree, how far is looked
)

// finder finds matches. All places before the current one stand in binary trees, one for each hash of 4 bytes, sorted by what
// follows, the youngest at the root: on the way down to where a place belongs are its longest matches, the
// nearest first.
type finder struct {
	data  []byte
	root  []int32 // by hash; -1 is none
	child []int32 // of a place, at twice of it and behind: what is less and what is greater
	short []int32 // the last place of each hash of 3 bytes
	found []match // for places of the block, ever longer ones
	start []int32 // where in found those of each place begin
}

func newFinder(data []byte) *finder {
	f := &finder{data: data, root: make([]int32, 1<<hashBits), child: make([]int32, 2*len(data)), short: make([]int32, 1<<shortBits)}
	for i := range f.root {
		f.root[i] = -1
	}
	for i := range f.short {
		f.short[i] = -1
	}
	return f
}

// at returns the matches of a place of the block that find was last called for.
func (f *finder) at(i int) []match { return f.found[f.start[i]:f.start[i+1]] }

// find finds the matches of a block, which follows on the last one.
func (f *finder) find(from, to int) {
	f.found, f.start = f.found[:0], f.start[:0]
	for i := from; i < to; i++ {
		f.start = append(f.start, int32(len(f.found)))
		if i+4 <= len(f.data) {
			f.insert(i)
		}
	}
	f.start = append(f.start, int32(len(f.found)))
}

// insert adds what is found for a place, and puts it into its tree.
func (f *finder) insert(at int) {
	const factor = 0x9e3779b1
	word := binary.LittleEndian.Uint32(f.data[at:])
	best := f.near(at, &f.short[word<<8*factor>>(32-shortBits)])

	here := f.data[at:min(at+maxMatch, len(f.data))]
	root := &f.root[word*factor>>(32-hashBits)]
	node := int(*root)
	*root = int32(at)
	less, greater := &f.child[2*at], &f.child[2*at+1]
	var common, commonLess, commonGreater int // with the places above that are less and greater
	for range depth {
		if node < 0 || at-node > maxDistance {
			break
		}
		there := f.data[node:]
		for common = min(commonLess, commonGreater); common < len(here) && there[common] == here[common]; {
			common++
		}
		if common > best {
			best = common
			f.found = append(f.found, match{int32(common), int32(at - node)})
		}
		children := f.child[2*node : 2*node+2]
		if common == len(here) {
			*less, *greater = children[0], children[1] // it takes the other's place
			return
		}
		if there[common] < here[common] {
			*less, commonLess = int32(node), common
			less, node = &children[1], int(children[1])
		} else {
			*greater, commonGreater = int32(node), common
			greater, node = &children[0], int(children[0])
		}
	}
	*less, *greater = -1, -1
}

// near adds a match of 3 bytes with the last place that had them, and returns the length of the longest.
func (f *finder) near(at int, last *int32) int {
	place := int(*last)
	*last = int32(at)
	if place < 0 || at-place > maxNear || string(f.data[place:place+minMatch]) != string(f.data[at:at+minMatch]) {
		return minMatch - 1
	}
	f.found = append(f.found, match{minMatch, int32(at - place)})
	return minMatch
}
