package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// measuredPeers are those whose speed is measured.
const measuredPeers = "^(zipnn|openzl-trained|zstd-3|zstd-19-bytegrouped)$"

// peerSpeeds has opt.peers measure the peers, and gives their versions too.
func peerSpeeds(opt options, stderr io.Writer) ([]memorySpeed, string, error) {
	files, err := filepath.Glob(filepath.Join(folder(opt.corpus), "*.bf16.safetensors"))
	if err != nil {
		return nil, "", err
	}
	args := []string{"--no-ratio", "--only", measuredPeers, "--speed-mb", strconv.Itoa(opt.megabytes)}
	cmd := exec.Command(opt.peers, append(args, files...)...)
	cmd.Stderr = stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", opt.peers, err)
	}
	return parsePeers(out)
}

// parsePeers reads the line of versions, and the rows "speed, input, bytes,
// peer, ratio, compress MB/s, decompress MB/s, decompress/memcpy, …".
func parsePeers(out []byte) (list []memorySpeed, versions string, err error) {
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		f := strings.Split(lines.Text(), "\t")
		if f[0] == "#versions" {
			versions = peerVersions(lines.Text())
		}
		if len(f) < 8 || f[0] != "speed" || f[1] == "input" || f[3] == "memcpy" {
			continue
		}
		var v [5]float64
		for i, k := range []int{2, 4, 5, 6, 7} {
			if v[i], err = strconv.ParseFloat(f[k], 64); err != nil {
				return nil, "", err
			}
		}
		list = append(list, memorySpeed{Input: strings.TrimSuffix(f[1], "-bf16"), Who: f[3], Bytes: int(v[0]),
			Ratio: v[1], Encode: v[2] / 1e3, Decode: v[3] / 1e3, Over: v[4]})
	}
	return list, versions, nil
}
