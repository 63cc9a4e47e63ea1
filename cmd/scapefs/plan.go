package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/scapefs/scapefs/archive"
)

// action is what becomes of one entry of a source.
type action int

const (
	convert  action = iota // pack, or unpack
	copyFile               // a file that is not converted
	copyLink               // a symbolic link, whose text is kept
	makeDir
)

// step is one action on one entry.
type step struct {
	do       action
	src, dst string
	info     fs.FileInfo
	// within is the folder below which the way to dst has no links; "" if dst
	// was named on the command line.
	within string
	// tree is the real path of the folder that src is of, if its result stands
	// elsewhere.
	tree string
}

// rule says what pack or unpack do with names.
type rule struct {
	// convert gives the name of what a file called name is converted to;
	// false if in a folder such a file is copied.
	convert func(name string) (string, bool)
	// convertAny is convert for a file that was named on the command line.
	convertAny func(name string) (string, bool)
	// shown gives the name that must not occur twice in a folder.
	shown func(name string) string
	// inPlace says that a folder may be converted without an OUT.
	inPlace bool
	// follow takes what links in a folder point to instead of the links.
	follow bool
	// stderr is where it is told what is left out.
	stderr io.Writer
}

// planSteps lists what is to be done to bring srcs to out, folders before
// what is in them. Nothing has been touched when it fails.
func planSteps(srcs []string, out string, r rule) ([]step, error) {
	intoFolder := len(srcs) > 1 && out != "" || strings.HasSuffix(out, "/") || isDir(out)
	out, err := cleanPath(out)
	if err != nil {
		return nil, err
	}
	var steps []step
	for _, src := range srcs {
		if src, err = cleanPath(src); err != nil {
			return nil, err
		}
		info, err := os.Stat(src)
		if err != nil {
			return nil, err
		}
		var more []step
		switch {
		case info.IsDir():
			more, err = planTree(src, out, r)
		case info.Mode().IsRegular():
			more, err = planFile(src, out, intoFolder, info, r)
		default:
			err = fmt.Errorf("%s is neither a file nor a folder", src)
		}
		if err != nil {
			return nil, err
		}
		steps = append(steps, more...)
	}
	if err := checkClashes(steps, r); err != nil {
		return nil, err
	}
	return steps, checkOriginals(steps)
}

func planFile(src, out string, intoFolder bool, info fs.FileInfo, r rule) ([]step, error) {
	name, ok := r.convertAny(filepath.Base(src))
	switch {
	case !ok && (out == "" || intoFolder):
		return nil, usagef("%s is not named like an archive (X%s or N%s): say with -o FILE what it becomes", src, archive.ArchiveSuffix, archive.AnySuffix)
	case out == "":
		return []step{{do: convert, src: src, dst: filepath.Join(filepath.Dir(src), name), info: info}}, nil
	case !intoFolder:
		return []step{{do: convert, src: src, dst: out, info: info}}, nil
	}
	var steps []step
	if !isDir(out) {
		steps = append(steps, step{do: makeDir, dst: out})
	}
	return append(steps, step{do: convert, src: src, dst: filepath.Join(out, name), info: info}), nil
}

func planTree(root, out string, r rule) ([]step, error) {
	if out == "" && !r.inPlace {
		return nil, usagef("%s is a folder: say with -o OUT where to put the archives", root)
	}
	root, err := filepath.EvalSymlinks(root) // a link would not be walked
	if err != nil {
		return nil, err
	}
	inPlace := out == "" || sameFile(root, out)
	if inPlace {
		out = root
	} else if err := checkApart(root, out); err != nil {
		return nil, err
	}
	t := tree{root: root, out: out, inPlace: inPlace, rule: r}
	err = t.walk(root, out, nil)
	return t.steps, err
}

// checkApart refuses an OUT within the folder it is made of: what is written
// would be found and taken again.
func checkApart(root, out string) error {
	source, err := realPath(root)
	if err != nil {
		return err
	}
	target, err := realPath(out)
	if err != nil {
		return err
	}
	if strings.HasPrefix(target, strings.TrimSuffix(source, "/")+"/") {
		return usagef("%s is within %s: choose an OUT outside of it", out, root)
	}
	return nil
}

// checkClashes refuses two files that would get one name, be it in the folder
// or in a mount of it.
func checkClashes(steps []step, r rule) error {
	taken := make(map[string]step, len(steps))
	for _, s := range steps {
		dir, name := filepath.Split(filepath.Clean(s.dst))
		if s.do == convert || s.do == copyFile {
			name = r.shown(name)
		}
		key := dir + name
		other, ok := taken[key]
		if ok && (s.do != makeDir || other.do != makeDir) {
			return fmt.Errorf("%s and %s would both become %s: rename or remove one of them", other.src, s.src, key)
		}
		taken[key] = s
	}
	return nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func sameFile(a, b string) bool {
	ai, errA := os.Stat(a)
	bi, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(ai, bi)
}
