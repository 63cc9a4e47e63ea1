package atlas

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
)

// WriteCSV writes a row for every tensor of files: entropies in bits a weight,
// and the ratio that each method reached.
func WriteCSV(w io.Writer, files []*File) error {
	out := csv.NewWriter(w)
	var methods []string
	if len(files) > 0 {
		for _, r := range files[0].Methods {
			methods = append(methods, r.Name)
		}
	}
	head := []string{"file", "tensor", "dtype", "bytes", "weights", "sign_exponent", "exponent", "mantissa",
		"mantissa_given_sign_exponent", "exponent_given_left", "exponent_given_above", "joint", "high", "low", "ceiling"}
	for t := range maxTop + 1 {
		head = append(head, fmt.Sprintf("top_%d", t))
	}
	if err := out.Write(append(head, methods...)); err != nil {
		return err
	}
	for _, f := range files {
		for _, t := range f.Tensors {
			if err := out.Write(append(t.row(f.Path), t.ratios(methods)...)); err != nil {
				return err
			}
		}
	}
	out.Flush()
	return out.Error()
}

func (t *Tensor) row(path string) []string {
	e := t.Entropy
	row := []string{path, t.Name, t.DType, strconv.FormatInt(t.Bytes, 10), strconv.FormatInt(t.Weights, 10)}
	for _, v := range []float64{e.SignExponent, e.Exponent, e.Mantissa, e.MantissaGivenRest, e.ExponentGivenLeft,
		e.ExponentGivenAbove, e.Joint, e.High(), e.Low(), e.Ceiling} {
		row = append(row, number(v))
	}
	for i := range maxTop + 1 {
		if i < len(e.Top) {
			row = append(row, number(e.Top[i]))
		} else {
			row = append(row, "")
		}
	}
	return row
}

func (t *Tensor) ratios(methods []string) []string {
	row := make([]string, len(methods))
	for i, m := range methods {
		if stored := t.Stored[m]; stored > 0 {
			row[i] = number(float64(t.Bytes) / stored)
		}
	}
	return row
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', 6, 64) }
