package main

import (
	"fmt"
	"math"

	"github.com/scapefs/scapefs/codec"
)

// target is what the codec is held to, and what was measured.
type target struct {
	What   string  `json:"what"`
	Want   float64 `json:"want"` // at least
	Got    float64 `json:"got"`
	Detail string  `json:"detail,omitempty"`
}

// peersOf are the columns of the peers' table that each dtype is compared
// with, file by file and tensor by tensor.
var peersOf = []string{"openzl-trained", "openzl-trained-per-tensor", "zipnn", "zipnn-per-tensor", "zstd-19-bytegrouped", "xz-9-bytegrouped"}

func targets(r *result) (list []target) {
	list = append(list, speedTargets(r)...)
	list = append(list, memoryTargets(r)...)
	return append(list, ratioTargets(r.Files)...)
}

func speedTargets(r *result) (list []target) {
	decode := map[string]map[string]float64{"balanced": {"go": 0.018, "avx2": 0.07, "avx512": 0.10}, "fast": {"go": 0.045, "avx2": 0.13, "avx512": 0.13}}
	encode := map[string]float64{"balanced": 1.3, "fast": 2.5}
	for _, c := range r.Chunks {
		if want := decode[c.Level][c.Backend]; want > 0 {
			list = append(list, target{fmt.Sprintf("decode %s, %s, %s: of memcpy", c.Level, c.Backend, c.Input), want, c.Over, fmt.Sprintf("%.2f GB/s", c.Decode)})
		}
		if c.Level == "small" && c.Backend != "go" {
			list = append(list, target{fmt.Sprintf("decode small, %s, %s: GB/s", c.Backend, c.Input), 1, c.Decode, ""})
		}
		if c.Backend == codec.Backend() && encode[c.Level] > 0 {
			list = append(list, target{fmt.Sprintf("encode %s, %s, %s: GB/s", c.Level, c.Backend, c.Input), encode[c.Level], c.Encode, ""})
		}
		if c.Level == "fast" && c.Input == "gaussian" && c.Backend == codec.Backend() {
			list = append(list, target{"ratio fast, gaussian", 1.517, c.Ratio, ""})
		}
	}
	spare := r.Block.Share + 40 - r.Block.Alone
	return append(list, target{"a block alone within its share + 40 µs: µs to spare", 0, spare,
		fmt.Sprintf("%d KiB alone %.0f µs, share %.0f µs", r.Block.Bytes>>10, r.Block.Alone, r.Block.Share)})
}

func memoryTargets(r *result) (list []target) {
	of := map[string]memorySpeed{}
	for _, m := range r.Memory {
		if m.Backend == "" || m.Backend == codec.Backend() {
			of[m.Input+" "+m.Who] = m
		}
	}
	// The peers get the same bytes, in one piece and with no word of tensors.
	for in, peers := range map[string]string{"real": "real", "buffer": "real", "gaussian": "gaussian"} {
		for _, c := range []struct {
			level, peer    string
			decode, encode float64
		}{{"fast", "zipnn", 1.3, 1.4}, {"balanced", "openzl-trained", 2.5, 1.4}} {
			ours, peer := of[in+" scape "+c.level], of[peers+" "+c.peer]
			if peer.Decode == 0 {
				continue
			}
			what := fmt.Sprintf("memory to memory, %s, %s over %s: ", in, c.level, c.peer)
			list = append(list,
				target{what + "decode", c.decode, ours.Decode / peer.Decode, fmt.Sprintf("%.2f and %.2f GB/s", ours.Decode, peer.Decode)},
				target{what + "encode", c.encode, ours.Encode / peer.Encode, fmt.Sprintf("%.2f and %.2f GB/s", ours.Encode, peer.Encode)},
				target{what + "ratio", 1, ours.Ratio / peer.Ratio, fmt.Sprintf("%.4f and %.4f", ours.Ratio, peer.Ratio)})
		}
	}
	return list
}

func ratioTargets(files []fileRatio) (list []target) {
	var balanced, small float64
	for _, f := range files {
		balanced += float64(f.Stored["balanced"])
		small += float64(f.Stored["small"])
	}
	list = append(list, target{"small below balanced, all files: %", 0.5, 100 * (1 - small/balanced), ""})
	for _, dtype := range []string{"bf16", "fp16", "fp32"} {
		of := filesOf(files, dtype)
		for _, peer := range peersOf {
			wins, total, ok := against(of, peer)
			if !ok {
				continue
			}
			list = append(list, target{fmt.Sprintf("balanced, %s, smaller than %s: %% of files", dtype, peer), 95, wins, ""})
			if dtype == "bf16" {
				list = append(list, target{fmt.Sprintf("balanced, %s, total below %s: %%", dtype, peer), 1.5, total, ""})
			}
		}
	}
	bf16 := filesOf(files, "bf16")
	for column, want := range map[string]float64{"bytewise-ceiling": 2.5, "bytewise-ceiling-per-tensor": 1.2} {
		if over := overCeiling(bf16, column); !math.IsNaN(over) {
			list = append(list, target{"balanced, bf16, median over " + column + ": %", want, over, ""})
		}
	}
	return list
}

func filesOf(files []fileRatio, dtype string) (of []fileRatio) {
	for _, f := range files {
		if f.DType == dtype && f.Peers != nil {
			of = append(of, f)
		}
	}
	return of
}

// against gives the share of files that are smaller than by a peer, and by how
// much the total is below the peer's, both in percent.
func against(files []fileRatio, peer string) (wins, total float64, ok bool) {
	var ours, theirs float64
	for _, f := range files {
		ratio := f.Peers[peer]
		if ratio == 0 {
			return 0, 0, false
		}
		if f.ratio(codec.Balanced) > ratio {
			wins++
		}
		ours += float64(f.Stored["balanced"])
		theirs += float64(f.Bytes) / ratio
	}
	if len(files) == 0 {
		return 0, 0, false
	}
	return 100 * wins / float64(len(files)), 100 * (1 - ours/theirs), true
}

func overCeiling(files []fileRatio, column string) float64 {
	var over []float64
	for _, f := range files {
		if c := f.Peers[column]; c > 0 {
			over = append(over, 100*(f.ratio(codec.Balanced)/c-1))
		}
	}
	if len(over) == 0 {
		return math.NaN()
	}
	return median(over)
}
