package atlas

import (
	"math"

	"github.com/scapefs/scapefs/codec"
)

// maxTop is the most bits of a mantissa that Top goes up to.
const maxTop = 7

// Entropy holds empirical entropies of a tensor, in bits a weight. Of elements
// that are no floating-point numbers it has Joint, Planes and Ceiling alone.
type Entropy struct {
	SignExponent float64 `json:"sign_exponent,omitempty"`
	Exponent     float64 `json:"exponent,omitempty"`
	Mantissa     float64 `json:"mantissa,omitempty"` // of fp32 and fp64: of its bits in the upper half, and of each byte below

	// What contexts could give: the mantissa's where sign and exponent are
	// known, and the exponent's where that of the element before is, or of the
	// one a row before.
	MantissaGivenRest  float64 `json:"mantissa_given_sign_exponent,omitempty"`
	ExponentGivenLeft  float64 `json:"exponent_given_left,omitempty"`
	ExponentGivenAbove float64 `json:"exponent_given_above,omitempty"`

	Joint  float64   `json:"joint"`  // of the 16 most significant bits as one symbol
	Planes []float64 `json:"planes"` // of each byte, least significant first

	// Top[t] is the whole weight with exponent and the top t bits of the
	// mantissa as one symbol, and the rest raw; TopSigned has the sign in it too.
	Top       []float64 `json:"top,omitempty"`
	TopSigned []float64 `json:"top_signed,omitempty"`

	// Ceiling is the ratio that coding byte by byte cannot exceed.
	Ceiling float64 `json:"ceiling"`
}

// High is the entropy of the most significant byte.
func (e Entropy) High() float64 { return e.Planes[len(e.Planes)-1] }

// Low is the entropy of the least significant byte.
func (e Entropy) Low() float64 { return e.Planes[0] }

// entropies computes those of p, whose elements are elem.
func (f *folder) entropies(p *pieceCounts, elem codec.Elem) Entropy {
	var e Entropy
	for _, low := range p.low {
		e.Planes = append(e.Planes, f.entropy(low, identity))
	}
	if elem.Width > 1 {
		e.Planes = append(e.Planes, f.entropy(p.high, func(s uint16) uint16 { return s & 255 }))
		e.Planes = append(e.Planes, f.entropy(p.high, func(s uint16) uint16 { return s >> 8 }))
	} else {
		e.Planes = append(e.Planes, f.entropy(p.high, identity))
	}
	e.Joint = f.entropy(p.high, identity)
	e.Ceiling = ceiling(e.Planes)
	if elem.Exponent == 0 {
		return e
	}
	bits := symbolMantissa(elem)
	mask := uint16(1)<<bits - 1
	e.SignExponent = f.entropy(p.high, func(s uint16) uint16 { return s >> bits })
	e.Exponent = f.entropy(p.high, topKey(elem, 0, false))
	e.Mantissa = f.entropy(p.high, func(s uint16) uint16 { return s & mask })
	for k := range p.low {
		e.Mantissa += e.Planes[k]
	}
	e.MantissaGivenRest = e.Mantissa - f.entropy(p.high, func(s uint16) uint16 { return s & mask }) + e.Joint - e.SignExponent
	e.ExponentGivenLeft, e.ExponentGivenAbove = f.conditional(p.left), f.conditional(p.above)
	for t := range min(maxTop, int(bits)) + 1 {
		raw := float64(int(elem.Mantissa) - t)
		e.Top = append(e.Top, f.entropy(p.high, topKey(elem, t, false))+1+raw)
		e.TopSigned = append(e.TopSigned, f.entropy(p.high, topKey(elem, t, true))+raw)
	}
	return e
}

func identity(s uint16) uint16 { return s }

// topKey gives the symbol of exponent and t bits of the mantissa, and the sign.
func topKey(elem codec.Elem, t int, signed bool) func(uint16) uint16 {
	shift := symbolMantissa(elem) - uint(t)
	mask := uint16(1)<<(uint(elem.Exponent)+uint(t)) - 1
	if signed {
		mask = math.MaxUint16
	}
	return func(s uint16) uint16 { return s >> shift & mask }
}

// ceiling is the ratio that bytes of these entropies allow.
func ceiling(planes []float64) float64 {
	sum := 0.0
	for _, h := range planes {
		sum += h
	}
	if sum == 0 {
		return 0 // there is no bound
	}
	return 8 * float64(len(planes)) / sum
}
