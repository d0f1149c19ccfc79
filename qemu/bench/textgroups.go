package bench

import (
	"cmp"
	"slices"
)

// textPage is what a page of functions has, in bytes, and textAlign what each function is aligned to.
const (
	textPage  = 4096
	textAlign = 32
)

// A textGroup is functions, by index, that are to be in one page.
type textGroup struct {
	funcs  []int
	size   uint64
	weight float64
}

// pages returns the names of the functions that ran, by page, the busiest pages first. Of an assembly function and what
// adapts it to Go's calls, which have one name, it has the first.
func (t *text) pages() [][]string {
	var names [][]string
	had := make(map[string]bool)
	for _, g := range packGroups(t.groups()) {
		var page []string
		for _, f := range g.funcs {
			if name := t.funcs[f].name; !had[name] {
				had[name] = true
				page = append(page, name)
			}
		}
		if page != nil {
			names = append(names, page)
		}
	}
	return names
}

// groups joins the functions that call one another most, as long as they fit into a page (K. Pettis and R. C. Hansen, Profile
// Guided Code Positioning, PLDI 1990, §3).
func (t *text) groups() []*textGroup {
	in := make(map[int]*textGroup)
	var groups []*textGroup
	for i, f := range t.funcs {
		if f.weight > 0 {
			size := (f.size + textAlign - 1) / textAlign * textAlign
			in[i] = &textGroup{funcs: []int{i}, size: size, weight: f.weight}
			groups = append(groups, in[i])
		}
	}
	for {
		a, b := t.closest(in)
		if a == nil {
			break
		}
		for _, f := range b.funcs {
			in[f] = a
		}
		a.funcs = append(a.funcs, b.funcs...)
		a.size += b.size
		a.weight += b.weight
		b.funcs = nil
	}
	return slices.DeleteFunc(groups, func(g *textGroup) bool { return g.funcs == nil })
}

// closest returns the two groups with the most calls between them that fit into a page together, or nil.
func (t *text) closest(in map[int]*textGroup) (a, b *textGroup) {
	between := make(map[[2]*textGroup]float64)
	var best float64
	for c, n := range t.calls {
		x, y := in[c.from], in[c.to]
		if x == y || x.size+y.size > textPage {
			continue
		}
		if x.funcs[0] > y.funcs[0] {
			x, y = y, x
		}
		between[[2]*textGroup{x, y}] += n
	}
	for pair, n := range between {
		x, y := pair[0], pair[1]
		if n > best || n == best && (x.funcs[0] < a.funcs[0] || x == a && y.funcs[0] < b.funcs[0]) {
			best, a, b = n, x, y
		}
	}
	return a, b
}

// openPages is how many pages are looked at for room: what is as busy stays together.
const openPages = 10

// packGroups puts groups into pages, the busiest for their size first.
func packGroups(groups []*textGroup) []*textGroup {
	slices.SortStableFunc(groups, func(a, b *textGroup) int {
		return cmp.Compare(b.weight/float64(b.size), a.weight/float64(a.size))
	})
	var pages []*textGroup
next:
	for _, g := range groups {
		for _, p := range pages[max(0, len(pages)-openPages):] {
			if p.size+g.size <= textPage {
				p.funcs = append(p.funcs, g.funcs...)
				p.size += g.size
				continue next
			}
		}
		pages = append(pages, &textGroup{funcs: g.funcs, size: g.size})
	}
	return pages
}
