package atlas

import "slices"

// Total adds up the tensors of one dtype: each entropy is the mean over all
// weights of what it is in its own tensor.
type Total struct {
	DType   string  `json:"dtype"`
	Tensors int     `json:"tensors"`
	Bytes   int64   `json:"bytes"`
	Weights int64   `json:"weights"`
	Entropy Entropy `json:"entropy"`
	Floor   float64 `json:"floor"`
}

// totals adds tensors up by dtype, most bytes first.
func totals(tensors []*Tensor) []Total {
	var all []Total
	for _, t := range tensors {
		i := slices.IndexFunc(all, func(x Total) bool { return x.DType == t.DType })
		if i < 0 {
			i = len(all)
			all = append(all, Total{DType: t.DType})
		}
		all[i].add(t)
	}
	for i := range all {
		all[i].Entropy.scale(1 / float64(all[i].Weights))
		all[i].Floor /= float64(all[i].Weights)
		all[i].Entropy.Ceiling = ceiling(all[i].Entropy.Planes)
	}
	slices.SortStableFunc(all, func(a, b Total) int { return int(min(max(b.Bytes-a.Bytes, -1), 1)) })
	return all
}

func (x *Total) add(t *Tensor) {
	x.Tensors++
	x.Bytes += t.Bytes
	x.Weights += t.Weights
	e := t.Entropy
	e.Planes, e.Top, e.TopSigned = slices.Clone(e.Planes), slices.Clone(e.Top), slices.Clone(e.TopSigned)
	e.scale(float64(t.Weights))
	x.Entropy.add(e)
	x.Floor += t.Floor * float64(t.Weights)
}

func (e *Entropy) fields() []*float64 {
	fields := []*float64{&e.SignExponent, &e.Exponent, &e.Mantissa, &e.MantissaGivenRest, &e.ExponentGivenLeft,
		&e.ExponentGivenAbove, &e.Joint}
	for _, list := range [][]float64{e.Planes, e.Top, e.TopSigned} {
		for i := range list {
			fields = append(fields, &list[i])
		}
	}
	return fields
}

func (e *Entropy) scale(by float64) {
	for _, v := range e.fields() {
		*v *= by
	}
}

// add adds b to e, which is of the same dtype or zero.
func (e *Entropy) add(b Entropy) {
	if len(e.Planes) == 0 {
		*e = b
		return
	}
	other := b.fields()
	for i, v := range e.fields() {
		*v += *other[i]
	}
}
