//go:build poison

package poison

// On is whether memory is poisoned.
const On = true

// Fill fills mem with Byte.
func Fill(mem []byte) {
	for i := range mem {
		mem[i] = Byte
	}
}
