//go:build !linux

package disk

// renameNoReplace renames from to to unless there is a file of that name; it
// then fails with fs.ErrExist.
func renameNoReplace(from, to string) error { return linkNoReplace(from, to) }
