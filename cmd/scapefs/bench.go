package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/scapefs/scapefs/codec"
)

// benchLimit is how many bytes are measured, over all files.
const benchLimit = 256 << 20

func benchCommand() *cli.Command {
	return &cli.Command{
		Name:      "bench",
		Usage:     "measure ratio and speed of the methods on files of yours, next to memcpy and zstd",
		ArgsUsage: "FILE...",
		Description: "Speeds are from memory to memory, on one core and on all. The ratio is that of a whole\n" +
			"archive. Of large files the first chunks are measured, 256 MiB in all.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "json", Usage: "print one JSON object"},
			&cli.StringSliceFlag{Name: "profile", Usage: "measure also the codecs that code by a `PROFILE`; may be given again"},
			&cli.DurationFlag{Name: "time", Value: time.Second, Usage: "measure each speed for `T`"},
		},
		Action: bench,
	}
}

// benchResult is what bench tells. The names of its fields in JSON are stable.
// Speeds are 10^6 original bytes a second.
type benchResult struct {
	Files     []benchFile   `json:"files"`
	Backend   string        `json:"backend"` // the kernels that encode and decode
	Cores     int           `json:"cores"`
	Memcpy    float64       `json:"memcpy_mbps"` // on one core
	MemcpyAll float64       `json:"memcpy_all_mbps"`
	Methods   []benchMethod `json:"methods"`
	Zstd      benchZstd     `json:"zstd"`
}

type benchFile struct {
	Path     string `json:"path"`
	Size     int64  `json:"size"`
	Measured int64  `json:"measured_bytes"` // less than size if only a part was
}

// benchMethod is one row. Fields without "all" in their name are of one core.
type benchMethod struct {
	Method    string  `json:"method"`
	Level     string  `json:"level,omitempty"` // of auto
	Ratio     float64 `json:"ratio"`
	Profile   int     `json:"profile_bytes,omitempty"` // of the archive, carried once
	Encode    float64 `json:"encode_mbps"`
	Decode    float64 `json:"decode_mbps"`
	Over      float64 `json:"decode_over_memcpy"`
	EncodeAll float64 `json:"encode_all_mbps"`
	DecodeAll float64 `json:"decode_all_mbps"`
	OverAll   float64 `json:"decode_all_over_memcpy"`
}

func bench(c *cli.Context) error {
	if err := wantArgs(c, 1, -1); err != nil {
		return err
	}
	budget := c.Duration("time")
	if budget <= 0 {
		return usagef("--time %v: give a time above 0", budget)
	}
	samples, err := takeSamples(c.Args().Slice(), benchLimit)
	if err != nil {
		return err
	}
	profiles, err := readProfiles(c.StringSlice("profile"))
	if err != nil {
		return err
	}
	res, err := measure(c.Context, c.App.ErrWriter, benchRows(profiles), samples, budget)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return writeJSON(c.App.Writer, res)
	}
	return res.print(c.App.Writer)
}

// readProfiles reads the profiles at paths.
func readProfiles(paths []string) (profiles []*codec.Profile, err error) {
	for _, path := range paths {
		p, err := readProfile(path)
		if err != nil {
			return nil, err
		}
		profiles = append(profiles, p)
	}
	return profiles, nil
}

// benchRow is what a row is measured of.
type benchRow struct {
	method  codec.Method
	level   codec.Level
	profile *codec.Profile // what method needs of one, nil for most
}

// benchRows lists every method that needs no profile or finds it in one of
// profiles, and for auto, which is scape wherever that makes a chunk smaller,
// every level.
func benchRows(profiles []*codec.Profile) []benchRow {
	var rows []benchRow
	for _, m := range codec.Methods() {
		if m == codec.Scape {
			continue
		}
		if !m.NeedsProfile() {
			rows = append(rows, benchRow{method: m})
		} else if p := firstFor(m, profiles); p != nil {
			rows = append(rows, benchRow{method: m, profile: p})
		}
	}
	for _, l := range codec.Levels() {
		rows = append(rows, benchRow{method: codec.Auto, level: l})
	}
	return rows
}

// firstFor gives what m needs of the first profile that has it, or nil.
func firstFor(m codec.Method, profiles []*codec.Profile) *codec.Profile {
	for _, p := range profiles {
		if part, err := p.For(m); err == nil {
			return part
		}
	}
	return nil
}

func (r benchRow) String() string {
	if r.method == codec.Auto {
		return fmt.Sprintf("%v, %v", r.method, r.level)
	}
	return r.method.String()
}

func (r benchRow) newEncoder() *codec.Encoder {
	enc := codec.NewEncoder(r.method, 0)
	enc.SetLevel(r.level)
	enc.SetProfile(r.profile)
	return enc
}

func measure(ctx context.Context, stderr io.Writer, rows []benchRow, samples []*sample, budget time.Duration) (res benchResult, err error) {
	res = benchResult{Backend: codec.Backend(), Cores: runtime.GOMAXPROCS(0)}
	for _, s := range samples {
		res.Files = append(res.Files, s.benchFile)
	}
	var copies, copiesAll []float64
	for _, r := range rows {
		coded, err := encodeSamples(ctx, stderr, r, samples)
		if err != nil {
			return res, fmt.Errorf("%v: %w", r, err)
		}
		speeds, err := coded.race(ctx, r, res.Cores, budget)
		if err != nil {
			return res, fmt.Errorf("%v: %w", r, err)
		}
		copies, copiesAll = append(copies, speeds.one.memcpy...), append(copiesAll, speeds.all.memcpy...)
		res.Methods = append(res.Methods, r.result(coded, speeds))
	}
	res.Memcpy, res.MemcpyAll = median(copies), median(copiesAll)
	res.Zstd, err = measureZstd(ctx, samples, budget)
	return res, err
}

func (r benchRow) result(coded *codedSamples, speeds raceSpeeds) benchMethod {
	one, all := speeds.one.median(), speeds.all.median()
	m := benchMethod{
		Method:    r.method.String(),
		Ratio:     ratio(coded.original, coded.stored),
		Encode:    one.encode,
		Decode:    one.decode,
		Over:      one.over,
		EncodeAll: all.encode,
		DecodeAll: all.decode,
		OverAll:   all.over,
	}
	if r.profile != nil {
		m.Profile = len(r.profile.Marshal())
	}
	if r.method == codec.Auto {
		m.Level = r.level.String()
	}
	return m
}
