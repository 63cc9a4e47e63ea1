//go:build poison

package cache

// poisoning is on in builds that look for use after release: freed memory is
// filled with a pattern, and releasing a Ref twice panics.
const poisoning = true

const poisonByte = 0xDB

func poison(mem []byte) {
	for i := range mem {
		mem[i] = poisonByte
	}
}
