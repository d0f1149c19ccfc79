package virtio_test

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/tamanet/tamanet/drivers/virtio"
)

// FuzzUsedRing has a device write what it likes where it may write into a ring of each kind, while the
// driver adds chains and takes them back. Whatever comes, Pop returns only chains that
// the driver had added, with lengths that fit, and nothing is lost in the end.
//
// Each 9 bytes are a step: an operation, an id and a length.
func FuzzUsedRing(f *testing.F) {
	f.Fuzz(func(t *testing.T, script []byte) {
		for _, features := range ringFeatures {
			fuzzUsedRing(t, script, features)
		}
	})
}

func fuzzUsedRing(t *testing.T, script []byte, features virtio.Features) {
	d, q, dev := newQueueWith(t, 8, features)
	m := transport(t, d)
	held := map[int]int{} // by head: bytes that the device may write
	for ; len(script) >= 9; script = script[9:] {
		id, length := binary.LittleEndian.Uint32(script[1:]), binary.LittleEndian.Uint32(script[5:])
		switch script[0] % 6 {
		case 0:
			segs := []virtio.Segment{out("header")}
			for range id % 4 {
				segs = append(segs, in(1+int(length%2048)))
			}
			if h, err := q.Add(segs); err == nil {
				if _, twice := held[h]; twice {
					t.Fatalf("head %d is given out twice", h)
				}
				held[h] = int(id%4) * (1 + int(length%2048))
			}
			q.Kick()
		case 1:
			dev.Finish(id, length)
		case 2:
			dev.Skip(int(id))
			dev.Publish()
		case 3:
			h, n, err := q.Pop()
			if err != nil {
				if err != virtio.ErrQueueEmpty && !errors.Is(err, virtio.ErrRing) {
					t.Fatal(err)
				}
				break
			}
			if most, ok := held[h]; !ok || n > most {
				t.Fatalf("Pop = %d with %d bytes, held %v", h, n, held)
			}
			delete(held, h)
		case 4:
			if _, err := virtio.Negotiate(m, features); err != nil {
				t.Fatal(err)
			}
			q.Drain(func(h int) { delete(held, h) })
			if len(held) != 0 {
				t.Fatalf("Drain has lost %v", held)
			}
			if err := q.Enable(); err != nil {
				t.Fatal(err)
			}
			virtio.Run(m)
		case 5:
			dev.Scribble(int(id), length)
		}
	}
	q.Drain(func(h int) { delete(held, h) })
	if maps, _ := d.Mem.Live(); maps != 0 || len(held) != 0 || q.Free() != 8 {
		t.Fatalf("%d mappings, %d free, held %v in the end", maps, q.Free(), held)
	}
}
