package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/scapefs/scapefs/archive"
	"github.com/scapefs/scapefs/codec"
)

// fileRatio is how small each level makes a file, as an archive, and what the
// table of the peers says of it.
type fileRatio struct {
	Name   string             `json:"name"`
	DType  string             `json:"dtype"`
	Bytes  int64              `json:"bytes"`
	Stored map[string]int64   `json:"stored"` // bytes, by level
	Peers  map[string]float64 `json:"peers,omitempty"`
}

func (f *fileRatio) ratio(level codec.Level) float64 {
	return float64(f.Bytes) / float64(f.Stored[level.String()])
}

func fileRatios(corpus, table string) (list []fileRatio, err error) {
	paths, err := filepath.Glob(filepath.Join(corpus, "*.safetensors"))
	if err != nil {
		return nil, err
	}
	peers, err := readPeers(table)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "codecbench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".safetensors")
		f := fileRatio{Name: name, DType: name[strings.LastIndex(name, ".")+1:], Stored: map[string]int64{}, Peers: peers[name]}
		for _, level := range codec.Levels() {
			res, err := archive.Pack(context.Background(), filepath.Join(dir, "x.scape"), path,
				archive.PackOptions{Method: codec.Auto, Level: level, Overwrite: true})
			if err != nil {
				return nil, err
			}
			f.Bytes, f.Stored[level.String()] = res.Original, res.Stored
		}
		list = append(list, f)
	}
	return list, nil
}

// readPeers reads the table of the peers: a row a file, with columns "model",
// "dtype" and then ratios.
func readPeers(path string) (map[string]map[string]float64, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma = '\t'
	rows, err := r.ReadAll()
	if err != nil || len(rows) == 0 {
		return nil, fmt.Errorf("%s: no table: %w", path, err)
	}
	peers := map[string]map[string]float64{}
	for _, row := range rows[1:] {
		ratios := map[string]float64{}
		for i, column := range rows[0] {
			if v, err := strconv.ParseFloat(row[i], 64); err == nil && column != "bytes" {
				ratios[column] = v
			}
		}
		peers[row[1]+"."+row[2]] = ratios
	}
	return peers, nil
}
