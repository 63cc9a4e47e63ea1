package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/scapefs/scapefs/atlas"
	"github.com/scapefs/scapefs/codec"
	"github.com/scapefs/scapefs/internal/report"
)

// result is what was measured. Sizes are those of whole archives.
type result struct {
	Methods []string                        `json:"methods"`
	Files   []*fileResult                   `json:"files"`
	Speeds  map[string]map[string]speedPair `json:"speeds"` // by dtype and method
}

// fileResult is one file. Numbers that are no integers are rounded, so that they
// are the same on every processor.
type fileResult struct {
	Name      string             `json:"name"` // without .safetensors
	DType     string             `json:"dtype"`
	Bytes     int64              `json:"bytes"`
	Ceiling   float64            `json:"ceiling"`  // of coding bytes, tensor by tensor
	Above     [2]int             `json:"above"`    // tensors of 64 Ki weights or more whose ratio by scape is above their ceiling, and all of these
	Stored    map[string]int64   `json:"stored"`   // bytes, by method
	Profile   map[string]int     `json:"profile"`  // of which are a profile
	Peers     map[string]float64 `json:"peers"`    // ratios
	Gaps      map[string]gap     `json:"gaps"`     // by method
	Quantised float64            `json:"over_512"` // bits a weight that bf16_split would lose over 512 symbols
	speeds    map[string]atlas.Result
}

// gap is a size taken apart, in bits a weight.
type gap struct {
	Entropy float64   `json:"entropy"`
	Parts   []float64 `json:"parts"`
}

// speedPair is in 10^6 original bytes a second of one core.
type speedPair struct {
	Encode float64 `json:"encode_mbps"`
	Decode float64 `json:"decode_mbps"`
}

func (f *fileResult) ratio(method string) float64 {
	return float64(f.Bytes) / float64(f.Stored[method])
}

// largeTensor is of how many weights on a tensor's ratio can be compared with
// its ceiling: smaller ones share chunks and tables.
const largeTensor = 1 << 16

func measure(ctx context.Context, opt options) (*result, error) {
	paths, err := filepath.Glob(filepath.Join(opt.corpus, "*.safetensors"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("no safetensors files in %s", opt.corpus)
	}
	peers, err := report.ReadPeers(opt.peers)
	if err != nil {
		return nil, err
	}
	learned, err := learn(paths)
	if err != nil {
		return nil, err
	}
	res := &result{Files: make([]*fileResult, len(paths))}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, path := range paths {
		g.Go(func() error {
			f, err := opt.measureFile(ctx, path, learned)
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			f.Peers = peers[f.Name]
			res.Files[i] = f
			fmt.Fprintln(os.Stderr, f.Name)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	res.collect()
	return res, nil
}

// collect lists the methods in their order, and means of the speeds.
func (r *result) collect() {
	r.Speeds = map[string]map[string]speedPair{}
	for _, f := range r.Files {
		if r.Speeds[f.DType] == nil {
			r.Speeds[f.DType] = map[string]speedPair{}
		}
	}
	for _, c := range allCoders() {
		name := c.Name()
		r.Methods = append(r.Methods, name)
		for dtype, speeds := range r.Speeds {
			var n, encode, decode float64
			for _, f := range r.Files {
				if s, ok := f.speeds[name]; ok && f.DType == dtype {
					n += float64(s.Original)
					encode += float64(s.Original) / s.Encode
					decode += float64(s.Original) / s.Decode
				}
			}
			if n > 0 {
				speeds[name] = speedPair{math.Round(n / encode), math.Round(n / decode)}
			}
		}
	}
}

// slow tells whether a method encodes some MB/s. These are the libraries' coders,
// which change when their versions do.
func slow(method string) bool {
	return strings.Contains(method, "zstd") || strings.Contains(method, "xz")
}

// quickLen is up to which size a check tries the slow methods, too.
const quickLen = 1e6

// leavesOut tells whether a check believes what is said of method on a file of
// size bytes.
func (opt options) leavesOut(method string, size int64) bool {
	return opt.check && slow(method) && size > quickLen
}

// allCoders are those of package atlas, those that need a profile included.
func allCoders() (list []atlas.Coder) {
	for _, m := range append(codec.Methods(), codec.Auto) {
		levels := []codec.Level{codec.Balanced}
		if m == codec.Scape || m == codec.Auto {
			levels = codec.Levels()
		}
		for _, l := range levels {
			list = append(list, atlas.Coder{Method: m, Level: l})
		}
	}
	return list
}

// codersFor are those that make sense for a file: split methods are for one dtype.
// Of the slow ones only one is tried on other files than bf16; in a quick measurement
// none on those above quickLen.
func (opt options) codersFor(name, dtype string, size int64, learned profiles) (list []atlas.Coder) {
	for _, c := range allCoders() {
		if slow(c.Name()) && (dtype != "bf16" && c.Method != codec.Zstd19ByteGrouped || opt.leavesOut(c.Name(), size)) {
			continue
		}
		method := c.Method.String()
		for _, other := range []string{"bf16", "fp16"} {
			if strings.HasPrefix(method, other) && dtype != other {
				method = ""
			}
		}
		if method == "" {
			continue
		}
		c.Profile = nil
		if c.Method.NeedsProfile() {
			if c.Profile = learned.forFile(name, c.Method); c.Profile == nil || dtype != "bf16" {
				continue
			}
		}
		list = append(list, c)
	}
	return list
}

func (opt options) measureFile(ctx context.Context, path string, learned profiles) (*fileResult, error) {
	a, err := atlas.Analyse(ctx, path)
	if err != nil {
		return nil, err
	}
	name := baseName(path)
	f := &fileResult{Name: name, DType: name[strings.LastIndex(name, ".")+1:], Bytes: a.Size,
		Stored: map[string]int64{}, Profile: map[string]int{}, Gaps: map[string]gap{}, speeds: map[string]atlas.Result{}}
	for _, c := range opt.codersFor(name, f.DType, f.Bytes, learned) {
		if err := a.Code(ctx, c); err != nil {
			return nil, err
		}
	}
	if len(a.Totals) > 0 {
		f.Ceiling = rounded(a.Totals[0].Entropy.Ceiling)
	}
	for _, m := range a.Methods {
		f.Stored[m.Name], f.speeds[m.Name] = m.Stored, m
		if m.Profile > 0 {
			f.Profile[m.Name] = m.Profile
		}
	}
	for method, g := range a.Gaps {
		_, parts := g.Parts()
		x := gap{Entropy: rounded(g.Floor)}
		for _, v := range parts {
			x.Parts = append(x.Parts, rounded(v))
		}
		f.Gaps[method] = x
	}
	f.Quantised = rounded(a.Gaps["bf16_split"].Reference)
	f.countAbove(a.Tensors)
	return f, nil
}

func (f *fileResult) countAbove(tensors []*atlas.Tensor) {
	for _, t := range tensors {
		if stored := t.Stored[codec.Scape.String()]; t.Weights >= largeTensor && stored > 0 {
			f.Above[1]++
			if float64(t.Bytes)/stored > t.Entropy.Ceiling {
				f.Above[0]++
			}
		}
	}
}

func baseName(path string) string { return strings.TrimSuffix(filepath.Base(path), ".safetensors") }

func rounded(v float64) float64 { return math.Round(v*1e4) / 1e4 }

// ratios are those of method on the files of dtype that it was tried on, in order.
func (r *result) ratios(dtype string, of func(*fileResult) float64) (list []float64) {
	for _, f := range r.Files {
		if v := of(f); f.DType == dtype && v > 0 && !math.IsInf(v, 0) {
			list = append(list, v)
		}
	}
	return list
}

func median(list []float64) float64 {
	s := slices.Sorted(slices.Values(list))
	n := len(s)
	if n == 0 {
		return 0
	}
	return (s[(n-1)/2] + s[n/2]) / 2
}

func geometricMean(list []float64) float64 {
	sum := 0.0
	for _, v := range list {
		sum += math.Log(v)
	}
	return math.Exp(sum / float64(len(list)))
}
