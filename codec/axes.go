package codec

import "slices"

// minPerIndex is how many elements each index of an axis must stand for, for a
// bitmap of the indices to be small beside them.
const minPerIndex = 8

// axis is one along which a tensor's elements have an index.
type axis struct{ stride, count, phase int }

// axes lists the axes of a part of n elements: each dimension of its shape, and
// neighbouring ones taken together; first the one whose single index all
// elements share.
func (p *Part) axes(n int) []axis {
	list := []axis{{stride: n, count: 1}}
	inner := int64(1) // product of the dimensions after the axis
	for to := len(p.Shape); to > 0 && inner < maxPeriod; to-- {
		product := int64(1)
		for from := to - 1; from >= 0 && product < maxPeriod; from-- {
			d := dimension(p.Shape[from])
			if d == 1 {
				continue
			}
			product *= d
			if a, ok := p.axis(inner, product, isOne(p.Shape[:from]), n); ok {
				list = append(list, a)
			}
		}
		inner *= dimension(p.Shape[to-1])
	}
	return list
}

// dimension bounds one of a shape, so that products of two cannot overflow.
func dimension(d int64) int64 { return min(max(d, 1), maxPeriod) }

// isOne tells whether the dimensions that precede an axis make no difference.
func isOne(shape []int64) bool {
	return !slices.ContainsFunc(shape, func(d int64) bool { return d > 1 })
}

// axis gives the axis of that stride and count in a part of n elements, if its
// indices are worth a bitmap. An outermost axis has only the part's indices.
func (p *Part) axis(stride, count int64, outermost bool, n int) (a axis, ok bool) {
	skip := p.Skip
	if outermost {
		skip %= stride
		count = min(count, (skip+int64(n)+stride-1)/stride)
	}
	if count < 2 || count > maxSelected || count*minPerIndex > int64(n) || count > maxPeriod/stride {
		return a, false
	}
	return axis{int(stride), int(count), int(skip % (stride * count))}, true
}
