package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// cleanPath is filepath.Clean for a path that may go through a link and back
// up: "link/../m" is beside what the link points to, and not "m".
func cleanPath(path string) (string, error) {
	parts := strings.Split(path, "/")
	last := -1
	for i, part := range parts {
		if part == ".." {
			last = i
		}
	}
	up := slices.IndexFunc(parts, func(part string) bool { return part != ".." && part != "." && part != "" })
	if path == "" || up < 0 || up > last {
		return clean(path), nil // nothing is gone back from
	}
	real, err := filepath.EvalSymlinks(strings.Join(parts[:last+1], "/"))
	if err != nil {
		return "", err
	}
	return filepath.Join(append([]string{real}, parts[last+1:]...)...), nil
}

// clean is filepath.Clean, but leaves "" what it is: no path.
func clean(path string) string {
	if path == "" {
		return ""
	}
	return filepath.Clean(path)
}

// realPath is the absolute path without links of a file that need not exist.
func realPath(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	real, err := filepath.EvalSymlinks(abs)
	if !errors.Is(err, fs.ErrNotExist) || abs == "/" {
		return real, err
	}
	parent, err := realPath(filepath.Dir(abs))
	return filepath.Join(parent, filepath.Base(abs)), err
}

// inside reports whether path, without links, is the folder dir or below it.
func inside(dir, path string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

// noLinks fails if the way from the folder top down to dir leads through a
// link: what is written there would land somewhere else.
func noLinks(top, dir string) error {
	rel, err := filepath.Rel(top, dir)
	if err != nil || rel == "." {
		return err
	}
	at := top
	for part := range strings.SplitSeq(rel, "/") {
		at = filepath.Join(at, part)
		info, err := os.Lstat(at)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if !info.IsDir() {
			return fmt.Errorf("%s is in the way, which is no folder: remove it, or choose another OUT", at)
		}
	}
	return nil
}
