package fs

import (
	"slices"

	"github.com/scapefs/scapefs/archive"
)

// shownName gives the name under which the entry called stored shows. Only
// regular files are renamed: folders, links and the like keep their names.
func shownName(stored string, regular bool) string {
	if original, ok := archive.OriginalName(stored); ok && regular {
		return original
	}
	return stored
}

// isArchive reports whether the entry called stored is shown decoded.
func isArchive(stored string, regular bool) bool {
	_, ok := archive.OriginalName(stored)
	return ok && regular
}

// storedNames lists the names an entry shown as shown may be stored under,
// in the order in which they win.
func storedNames(shown string) []string {
	return slices.Compact([]string{shown, archive.ArchiveName(shown), shown + archive.AnySuffix})
}

// rank orders the names that storedNames gives: the lowest wins.
func rank(stored, shown string) int {
	return slices.Index(storedNames(shown), stored)
}

// stored is an entry of a source folder.
type stored struct {
	name string
	mode uint32 // its file type bits
	ino  uint64
}

// clash reports that hidden is not shown because winner has its name.
type clash struct{ shown, winner, hidden string }

// shownEntries renames the entries of a folder to the names they show under.
// When two get one name the first of storedNames wins; each loser is a clash.
// The order of entries is kept.
func shownEntries(entries []stored) ([]stored, []clash) {
	at := make(map[string]int, len(entries)) // shown name to position in out
	out := make([]stored, 0, len(entries))
	won := make([]string, 0, len(entries)) // stored names of out
	var clashes []clash
	for _, e := range entries {
		name := e.name
		e.name = shownName(name, isRegular(e.mode))
		i, taken := at[e.name]
		switch {
		case !taken:
			at[e.name] = len(out)
			out, won = append(out, e), append(won, name)
		case rank(name, e.name) < rank(won[i], e.name):
			clashes = append(clashes, clash{e.name, name, won[i]})
			out[i], won[i] = e, name
		default:
			clashes = append(clashes, clash{e.name, won[i], name})
		}
	}
	return out, clashes
}
