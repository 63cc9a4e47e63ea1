package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/dustin/go-humanize"

	"github.com/scapefs/scapefs/atlas"
)

func printAtlas(out io.Writer, f *atlas.File) error {
	fmt.Fprintf(out, "%s: %s, %d tensors\n\nentropies, bits a weight; ceiling: the ratio that coding byte by byte cannot exceed;\nfloor: exponent and the best number of mantissa bits as one symbol, the rest raw\n",
		f.Path, humanize.IBytes(uint64(f.Size)), len(f.Tensors))
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "tensor\tdtype\tweights\tsign+exp\tmantissa\thigh\tlow\tjoint\tfloor\tgiven left\tgiven above\tceiling\t")
	if len(f.Tensors) > 0 && f.Tensors[0].Stored != nil {
		fmt.Fprint(w, "scape\t")
	}
	fmt.Fprintln(w)
	for _, t := range f.Tensors {
		printEntropy(w, printable(t.Name), t.DType, t.Weights, t.Entropy, t.Floor)
		if stored := t.Stored["scape"]; stored > 0 {
			fmt.Fprintf(w, "%.4f\t", float64(t.Bytes)/stored)
		}
		fmt.Fprintln(w)
	}
	for _, t := range f.Totals {
		printEntropy(w, fmt.Sprintf("all %d", t.Tensors), t.DType, t.Weights, t.Entropy, t.Floor)
		fmt.Fprintln(w)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	printTops(out, f.Totals)
	printMethods(out, f)
	printGaps(out, f.Gaps)
	printOracle(out, f.Oracle)
	return nil
}

func printEntropy(w io.Writer, name, dtype string, weights int64, e atlas.Entropy, floor float64) {
	fmt.Fprintf(w, "%s\t%s\t%d\t", name, dtype, weights)
	if len(e.Top) > 0 {
		fmt.Fprintf(w, "%.3f\t%.3f\t", e.SignExponent, e.Mantissa)
	} else {
		fmt.Fprint(w, "\t\t")
	}
	fmt.Fprintf(w, "%.3f\t%.3f\t%.3f\t%.3f\t", e.High(), e.Low(), e.Joint, floor)
	if len(e.Top) > 0 {
		fmt.Fprintf(w, "%.3f\t%.3f\t", e.ExponentGivenLeft, e.ExponentGivenAbove)
	} else {
		fmt.Fprint(w, "\t\t")
	}
	fmt.Fprintf(w, "%.4f\t", e.Ceiling)
}

// printTops shows what a weight takes with t bits of the mantissa beside the
// exponent.
func printTops(out io.Writer, totals []atlas.Total) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	begun := false
	for _, t := range totals {
		if len(t.Entropy.Top) == 0 {
			continue
		}
		if !begun {
			begun = true
			fmt.Fprint(w, "\nbits a weight, exponent + t bits of the mantissa as one symbol, the rest raw\ndtype\tsign\tt = 0\t1\t2\t3\t4\t5\t6\t7\t\n")
		}
		for _, row := range []struct {
			sign string
			bits []float64
		}{{"raw", t.Entropy.Top}, {"in it", t.Entropy.TopSigned}} {
			fmt.Fprintf(w, "%s\t%s\t", t.DType, row.sign)
			for _, v := range row.bits {
				fmt.Fprintf(w, "%.3f\t", v)
			}
			fmt.Fprintln(w)
		}
	}
	w.Flush()
}

func printMethods(out io.Writer, f *atlas.File) {
	if len(f.Methods) == 0 {
		return
	}
	if coded := f.Methods[0].Original; coded < f.Size {
		fmt.Fprintf(out, "\nmethods, on %s of the file; speeds for one core\n", humanize.IBytes(uint64(coded)))
	} else {
		fmt.Fprint(out, "\nmethods, sizes of whole archives; speeds for one core\n")
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "method\tratio\tstored\tprofile\tencode MB/s\tdecode MB/s\t\n")
	for _, r := range f.Methods {
		profile := ""
		if r.Profile > 0 {
			profile = fmt.Sprint(r.Profile)
		}
		fmt.Fprintf(w, "%s\t%.4f\t%d\t%s\t%.0f\t%.0f\t\n", r.Name, r.Ratio, r.Stored, profile, r.Encode, r.Decode)
	}
	w.Flush()
}

func printGaps(out io.Writer, gaps map[string]atlas.Gap) {
	for _, name := range slices.Sorted(maps.Keys(gaps)) {
		g := gaps[name]
		fmt.Fprintf(out, "\n%s: from the entropy to the archive, bits a weight\n", name)
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintf(w, "entropy\t%.4f\t\n", g.Floor)
		names, parts := g.Parts()
		for i := range names {
			fmt.Fprintf(w, "%s\t%+.4f\t\n", names[i], parts[i])
		}
		fmt.Fprintf(w, "measured\t%.4f\t\n", g.Measured)
		w.Flush()
		if name == "bf16_split" {
			fmt.Fprintf(out, "over 512 symbols quantisation would cost %+.4f\n", g.Reference)
		}
	}
}

func printOracle(out io.Writer, o *atlas.Oracle) {
	if o == nil {
		return
	}
	fmt.Fprintf(out, "\noracle, every tensor coded alone: %s for all %.0f bytes; the best for each %.0f, which gains %.3f %%; auto %.0f\n",
		o.Single, o.Stored, o.Routed, 100*o.Gain, o.Auto)
	for _, name := range slices.Sorted(maps.Keys(o.Wins)) {
		fmt.Fprintf(out, "  %s is best for %d tensors\n", name, o.Wins[name])
	}
}
