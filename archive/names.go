package archive

import "strings"

// Names alone decide what is an archive, and of which file.
const (
	TensorSuffix  = ".safetensors"
	ArchiveSuffix = ".scape"  // of the archive of X.safetensors
	AnySuffix     = ".scapef" // of the archive of a file of any other name
)

// ArchiveName is the name of the archive of a file called name.
func ArchiveName(name string) string {
	if stem, ok := strings.CutSuffix(name, TensorSuffix); ok {
		return stem + ArchiveSuffix
	}
	return name + AnySuffix
}

// OriginalName is the name of the file that the archive called archive came
// from; false if archive is not the name of one.
func OriginalName(archive string) (string, bool) {
	if stem, ok := strings.CutSuffix(archive, ArchiveSuffix); ok {
		return stem + TensorSuffix, true
	}
	stem, ok := strings.CutSuffix(archive, AnySuffix)
	if !ok || stem == "" || stem == "." || stem == ".." {
		return "", false
	}
	return stem, true
}
