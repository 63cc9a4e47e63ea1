package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/scapefs/scapefs/archive"
	"github.com/scapefs/scapefs/codec"
	"github.com/scapefs/scapefs/internal/report"
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
	var peers map[string]map[string]float64
	if table != "" {
		if peers, err = report.ReadPeers(table); err != nil {
			return nil, err
		}
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
