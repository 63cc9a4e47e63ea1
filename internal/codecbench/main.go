// Command codecbench measures the method scape: speed on one core by level and
// backend, beside memcpy in the same seconds; ratios on a folder of real
// weights; and, where Python has them, ZipNN, OpenZL and zstd on the same data
// in the same run. `make bench-codec` runs it and sets the targets beside it.
//
//	codecbench [FLAG]...                            measure
//	codecbench -doc FILE.md -plot FILE.svg RESULT   show what -json wrote
//
// It measures the codec as a library, and knows nothing of mounts.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/scapefs/scapefs/codec"
)

type options struct {
	corpus, peersTable, peers string
	megabytes                 int
	timing                    timing
	json                      string
	doc, plot                 string
}

func main() {
	var opt options
	flag.StringVar(&opt.json, "json", "", "write the result to `FILE`")
	flag.StringVar(&opt.corpus, "corpus", os.Getenv("SCAPEFS_CORPUS"), "measure the .safetensors files of `DIR`; by default those of testdata")
	flag.StringVar(&opt.peersTable, "table", "", "compare ratios with the peers' in the TSV `FILE`")
	flag.StringVar(&opt.peers, "peers", "", "measure the peers by this `PROGRAM`, scripts/peers/peers.sh")
	flag.IntVar(&opt.megabytes, "mb", 128, "megabytes of the measurement from memory to memory")
	flag.DurationVar(&opt.timing.round, "round", 100*time.Millisecond, "length of a round")
	flag.IntVar(&opt.timing.rounds, "rounds", 7, "how many rounds; the median counts")
	flag.StringVar(&opt.doc, "doc", "", "put the tables of RESULT into `FILE`, between its markers")
	flag.StringVar(&opt.plot, "plot", "", "plot RESULT to the SVG `FILE`")
	flag.Parse()
	if err := do(opt, flag.Args(), os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "codecbench:", err)
		os.Exit(1)
	}
}

func do(opt options, args []string, stdout, stderr io.Writer) error {
	switch {
	case len(args) == 1 && opt.doc+opt.plot != "":
		return show(opt, args[0])
	case len(args) > 0 || opt.doc+opt.plot != "" || opt.timing.rounds < 1 || opt.megabytes < 1:
		return errors.New("wrong use: see -help")
	}
	res, err := measure(opt, stderr)
	if err != nil {
		return err
	}
	if err := res.print(stdout); err != nil || opt.json == "" {
		return err
	}
	b, err := json.MarshalIndent(res, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(opt.json, append(b, '\n'), 0o644)
}

// result is all that is measured. Speeds are GB/s, 10^9 original bytes.
type result struct {
	Conditions conditions    `json:"conditions"`
	Backends   []string      `json:"backends"`    // the best last
	Memcpy     float64       `json:"memcpy_gbps"` // 4 MiB, in the cache
	Chunks     []chunkSpeed  `json:"chunks"`
	Block      blockTime     `json:"block"`
	Memory     []memorySpeed `json:"memory_to_memory"`
	Files      []fileRatio   `json:"files"`
	Targets    []target      `json:"targets"`
}

func measure(opt options, stderr io.Writer) (*result, error) {
	real, err := realWeights(opt.corpus)
	if err != nil {
		return nil, err
	}
	res := &result{Conditions: theseConditions(opt), Backends: codec.Backends()}
	for _, in := range []input{gaussian(4 << 20), real.largest(4 << 20), real.chunk(4 << 20)} {
		speeds, err := chunkSpeeds(in, opt.timing)
		if err != nil {
			return nil, err
		}
		res.Chunks = append(res.Chunks, speeds...)
	}
	res.Memcpy = memcpySpeed(opt.timing)
	if res.Block, err = timeBlock(opt.timing); err != nil {
		return nil, err
	}
	if res.Memory, res.Conditions.Peers, err = memoryToMemory(opt, real, stderr); err != nil {
		return nil, err
	}
	if res.Files, err = fileRatios(folder(opt.corpus), opt.peersTable); err != nil {
		return nil, err
	}
	res.Targets = targets(res)
	return res, nil
}

// folder is where the weights are.
func folder(corpus string) string {
	if corpus == "" {
		return "testdata"
	}
	return corpus
}
