// Command codecbench measures the method scape: speed on one core by level and
// backend, beside memcpy in the same seconds; ratios on a folder of real
// weights; and, where Python has them, ZipNN and OpenZL on the same data in
// the same run. `make bench-codec` runs it and sets the targets beside it.
//
// It measures the codec as a library, and knows nothing of mounts.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/scapefs/scapefs/codec"
)

type options struct {
	corpus, peersTable, python, peersScript string
	megabytes                               int
	round                                   time.Duration
}

func main() {
	var opt options
	out := flag.String("json", "", "write the result to `FILE`")
	flag.StringVar(&opt.corpus, "corpus", os.Getenv("SCAPEFS_CORPUS"), "measure ratios on the .safetensors files of `DIR`")
	flag.StringVar(&opt.peersTable, "table", "", "compare ratios with the peers' in the TSV `FILE`")
	flag.StringVar(&opt.python, "python", "", "measure the peers' speed with this `PYTHON`")
	flag.StringVar(&opt.peersScript, "peers", "scripts/peers/peers.py", "the `SCRIPT` that does so")
	flag.IntVar(&opt.megabytes, "mb", 128, "megabytes of the measurement from memory to memory")
	flag.DurationVar(&opt.round, "round", 100*time.Millisecond, "length of a round; the median of seven counts")
	flag.Parse()
	if err := run(opt, *out); err != nil {
		fmt.Fprintln(os.Stderr, "codecbench:", err)
		os.Exit(1)
	}
}

// result is all that is measured. Speeds are GB/s, 10^9 original bytes.
type result struct {
	Backends []string      `json:"backends"`
	Memcpy   float64       `json:"memcpy_gbps"` // 4 MiB, in the cache
	Chunks   []chunkSpeed  `json:"chunks"`
	Block    blockTime     `json:"block"`
	Memory   []memorySpeed `json:"memory_to_memory"`
	Files    []fileRatio   `json:"files,omitempty"`
	Targets  []target      `json:"targets"`
}

func run(opt options, out string) error {
	real, err := realWeights(opt.corpus)
	if err != nil {
		return err
	}
	res := result{Backends: codec.Backends()}
	for _, in := range []input{gaussian(4 << 20), real.chunk(4 << 20)} {
		speeds, err := chunkSpeeds(in, opt.round)
		if err != nil {
			return err
		}
		res.Chunks = append(res.Chunks, speeds...)
	}
	res.Memcpy = memcpySpeed(opt.round)
	if res.Block, err = timeBlock(opt.round); err != nil {
		return err
	}
	if res.Memory, err = memoryToMemory(opt, real); err != nil {
		return err
	}
	if opt.corpus != "" {
		if res.Files, err = fileRatios(opt.corpus, opt.peersTable); err != nil {
			return err
		}
	}
	res.Targets = targets(&res)
	res.print(os.Stdout)
	if out == "" {
		return nil
	}
	b, err := json.MarshalIndent(&res, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(out, append(b, '\n'), 0o644)
}
