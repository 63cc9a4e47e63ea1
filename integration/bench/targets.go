package main

import (
	"math"
	"slices"
)

// target is what the mount is held to, and what was measured.
type target struct {
	What   string  `json:"what"`
	Want   float64 `json:"want"`
	Got    float64 `json:"got"`
	AtMost bool    `json:"at_most,omitempty"` // Want is a bound from above
}

func (t target) met() bool {
	if t.AtMost {
		return t.Got <= t.Want
	}
	return t.Got >= t.Want
}

func (r *result) missed() (n int) {
	for _, t := range r.Targets {
		if !t.met() {
			n++
		}
	}
	return n
}

const beyondCache = 64 << 20 // what a daemon may take besides its cache

// targets lists those of which everything was measured.
func targets(r *result) (list []target) {
	ratio := func(what string, want float64, w1, s1, w2, s2 string) {
		if got := r.speedRatio(w1, s1, w2, s2); !math.IsNaN(got) {
			list = append(list, target{What: what, Want: want, Got: got})
		}
	}
	for _, w := range []string{"read", "mmap"} {
		ratio(w+", cold, archive cached, over zeros over FUSE", 0.75, w, scapeCached.name, w, zerosMount.name)
		ratio(w+", cold, over plain", 1, w, scapeCold.name, w, plainCold.name)
		ratio(w+", warm, over plain", 0.95, w, scapeWarm.name, w, plainWarm.name)
	}
	for _, w := range []string{"read 500 MB/s", "names 500 MB/s"} {
		ratio(w+", cold, over plain", 1.4, w, scapeCold.name, w, plainCold.name)
	}
	ratio("32 threads of faults over 1 thread", 1, "faults32", scapeCached.name, "faults1", scapeCached.name)
	if c := r.find("random4k", scapeCached.name); c != nil && r.BlockUS > 0 {
		list = append(list, target{"random4k, p50, over decoding one block", 3,
			c.median(func(m measurement) float64 { return m.P50 }) / r.BlockUS, true})
	}
	peak := int64(0)
	for _, c := range r.Cells {
		for _, m := range c.Rounds {
			if c.Subject != zerosMount.name {
				peak = max(peak, m.Peak)
			}
		}
	}
	if peak > 0 {
		list = append(list, target{"peak memory of the daemon beyond its cache, MiB", beyondCache >> 20, float64(peak-r.Model.Cache) / (1 << 20), true})
	}
	if len(r.First) > 0 {
		list = append(list,
			target{"mount to first byte, 1,000 archives, s", 0.3, median(r.First), true},
			target{"archives that listing 1,000 of them opens", 0, float64(r.Opens), true})
	}
	if g := r.Big; g != nil {
		list = append(list,
			target{"the same with 32 readers in a container of 512 MiB, MiB", beyondCache >> 20, float64(g.Peak-g.Cache) / (1 << 20), true},
			target{"processes killed for want of memory", 0, float64(g.Kills), true})
	}
	return list
}

// speedRatio is the median, over the rounds, of one cell's speed by another's.
func (r *result) speedRatio(w1, s1, w2, s2 string) float64 {
	a, b := r.find(w1, s1), r.find(w2, s2)
	if a == nil || b == nil {
		return math.NaN()
	}
	var ratios []float64
	for i := range min(len(a.Rounds), len(b.Rounds)) {
		ratios = append(ratios, a.Rounds[i].speed()/b.Rounds[i].speed())
	}
	return median(ratios)
}

// speed is in GB/s, 10^9 bytes.
func (s sample) speed() float64 { return float64(s.Bytes) / 1e9 / s.Seconds }

func speedOf(m measurement) float64 { return m.speed() }

func (c *cell) median(of func(measurement) float64) float64 {
	return median(c.all(of))
}

func (c *cell) all(of func(measurement) float64) (list []float64) {
	for _, m := range c.Rounds {
		list = append(list, of(m))
	}
	return list
}

func median(list []float64) float64 {
	if len(list) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(list))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}
