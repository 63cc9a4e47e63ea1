package main

import (
	"encoding/csv"
	"fmt"
	"os"
	"strconv"
)

// readPeers reads the ratios of the peers: a row a file, with columns "model",
// "dtype" and then ratios, by "model.dtype".
func readPeers(path string) (map[string]map[string]float64, error) {
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
