package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/scapefs/scapefs/archive"
)

// tree lists the steps for a folder.
type tree struct {
	root, out string
	inPlace   bool
	rule      rule
	steps     []step
}

// walk lists the steps for the folder dir, whose result is to be dst, and all
// below it. The folders above it are known by above: following links may lead
// round in a circle.
func (t *tree) walk(dir, dst string, above []fs.FileInfo) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	for _, a := range above {
		if os.SameFile(a, info) {
			return fmt.Errorf("%s is a link to a folder that it is in: leave out --follow-symlinks, or remove it", dir)
		}
	}
	above = append(above[:len(above):len(above)], info)
	t.add(step{do: makeDir, src: dir, dst: dst, info: info})
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := t.entry(filepath.Join(dir, e.Name()), dst, e, above); err != nil {
			return err
		}
	}
	return nil
}

// entry lists the steps for e, an entry of a folder whose result is to be dir.
func (t *tree) entry(path, dir string, e fs.DirEntry, above []fs.FileInfo) error {
	info, err := e.Info()
	if err != nil {
		return err
	}
	if t.rule.follow && info.Mode().Type() == fs.ModeSymlink {
		if target, err := os.Stat(path); err == nil { // one to nowhere stays a link
			info = target
		}
	}
	s := step{src: path, dst: filepath.Join(dir, e.Name()), info: info}
	switch info.Mode().Type() {
	case fs.ModeDir:
		return t.walk(path, s.dst, above)
	case fs.ModeSymlink:
		s.do = copyLink
		t.warnOutside(path)
	case 0:
		s.do = copyFile
		if name, ok := t.rule.convert(e.Name()); ok {
			s.do, s.dst = convert, filepath.Join(dir, name)
		}
	default:
		t.warnf("%s is neither file, folder nor link: left out", path)
		return nil
	}
	t.add(s)
	return nil
}

func (t *tree) add(s step) {
	s.within = t.out
	if t.inPlace && s.do != convert {
		return
	}
	if !t.inPlace {
		s.tree = t.root
	}
	t.steps = append(t.steps, s)
}

// warnOutside tells of a link that may mean something else, or nothing, where
// it is copied to.
func (t *tree) warnOutside(link string) {
	if t.inPlace {
		return
	}
	target, err := filepath.EvalSymlinks(link)
	if err != nil || inside(t.root, target) {
		return
	}
	if _, ok := archive.OriginalName(link); ok || filepath.Ext(link) == archive.TensorSuffix {
		t.warnf("%s is a link out of %s: kept as a link; --follow-symlinks takes what it points to", link, t.root)
	}
}

func (t *tree) warnf(format string, args ...any) {
	fmt.Fprintf(t.rule.stderr, "scapefs: warning: "+format+"\n", args...)
}
