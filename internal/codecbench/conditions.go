package main

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strings"
)

// conditions are those under which a result came to be.
type conditions struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Go     string `json:"go"`
	System string `json:"system"`
	Corpus bool   `json:"corpus"`          // else testdata
	Peers  string `json:"peers,omitempty"` // their versions
}

func theseConditions(opt options) conditions {
	return conditions{
		CPU:    cpuName(),
		Cores:  runtime.NumCPU(),
		Go:     runtime.Version(),
		System: runtime.GOOS + "/" + runtime.GOARCH,
		Corpus: opt.corpus != "",
	}
}

var modelName = regexp.MustCompile(`(?m)^model name\s*: (.*)$`)

func cpuName() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	if name := modelName.FindSubmatch(b); name != nil {
		return string(name[1])
	}
	return "unknown processor"
}

func (c conditions) String() string {
	s := fmt.Sprintf("One core of %d (%s), %s, %s.", c.Cores, c.CPU, c.System, c.Go)
	if !c.Corpus {
		s += " Real weights are those of testdata."
	}
	if c.Peers != "" {
		s += " Peers: " + c.Peers + "."
	}
	return s
}

// peerVersions reads the line "#versions, name, version, …" of the peers.
func peerVersions(line string) string {
	f := strings.Split(line, "\t")
	var list []string
	for i := 1; i+1 < len(f); i += 2 {
		switch f[i] {
		case "python", "zipnn", "openzl", "libzstd":
			list = append(list, f[i]+" "+f[i+1])
		}
	}
	return strings.Join(list, ", ")
}
