package codec

import (
	"fmt"
	"slices"
	"sync/atomic"
)

// A backend is a set of kernels for the hot loops. All give the same results;
// pure Go is always there and finishes what the others leave.
type backend int32

const (
	backendGo backend = iota
	backendAVX2
	backendAVX512
)

var backendNames = [...]string{backendGo: "go", backendAVX2: "avx2", backendAVX512: "avx512"}

// current is the backend in use: the best that the processor has.
var current atomic.Int32

func init() { current.Store(int32(bestBackend())) }

// Backends lists the backends that this processor can run, the best last.
func Backends() []string { return slices.Clone(backendNames[:bestBackend()+1]) }

// Backend names the backend in use.
func Backend() string { return backendNames[current.Load()] }

// SetBackend has every Decoder and Encoder use the named backend from now on:
// for tests and measurements.
func SetBackend(name string) error {
	i := slices.Index(Backends(), name)
	if i < 0 {
		return fmt.Errorf("backend %q is not among those of this processor: %v", name, Backends())
	}
	current.Store(int32(i))
	return nil
}
