// Package trained gives tests a profile, so that they can run over methods that
// code by one. It knows nothing of how a profile is made.
package trained

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"sync"

	"github.com/scapefs/scapefs/codec"
)

// Profile gives a profile that every method finds what it needs in: one
// distribution of normal weights, and a dictionary. It is the same each time.
var Profile = sync.OnceValue(func() *codec.Profile {
	const weights, chunks = 1 << 14, 8
	rng := rand.New(rand.NewPCG(1, 2))
	t := codec.NewTrainer()
	for range chunks {
		b := make([]byte, 0, 2*weights)
		for range weights {
			b = binary.LittleEndian.AppendUint16(b, uint16(math.Float32bits(float32(rng.NormFloat64()*0.03))>>16))
		}
		t.Add(b, codec.BF16)
	}
	p, err := t.Profile(1, 2<<10)
	if err != nil {
		panic(err) // the weights are always the same
	}
	return p
})
