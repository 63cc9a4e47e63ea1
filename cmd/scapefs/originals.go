package main

import (
	"os"
	"path/filepath"

	"github.com/scapefs/scapefs/internal/disk"
)

// checkOriginals refuses steps that would write over what any of them reads, or
// into a folder that is read.
func checkOriginals(steps []step) error {
	originals := map[disk.ID]string{}
	trees := map[string]bool{}
	for _, s := range steps {
		if s.do == convert || s.do == copyFile {
			originals[disk.IDOf(s.info)] = s.src
		}
		if s.tree != "" {
			trees[s.tree] = true
		}
	}
	for _, s := range steps {
		if info, err := os.Lstat(s.dst); err == nil && originals[disk.IDOf(info)] != "" {
			return usagef("%s would be written over, which is to be read: choose another OUT", s.dst)
		}
		if err := checkTrees(s, trees); err != nil {
			return err
		}
	}
	return nil
}

func checkTrees(s step, trees map[string]bool) error {
	if s.tree == "" {
		return nil
	}
	dir := s.dst
	if s.do != makeDir {
		dir = filepath.Dir(dir)
	}
	real, err := realPath(dir)
	if err != nil {
		return err
	}
	for t := range trees {
		if inside(t, real) {
			return usagef("%s would be written into %s, which is to be read: choose another OUT", s.dst, t)
		}
	}
	return nil
}
