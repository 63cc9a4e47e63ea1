package index

// Account says what the bytes of an archive outside of its records are there
// for. They add up to file header, index and trailer.
type Account struct {
	FileHeader int64
	Index      int64 // metadata, name and rows
	Profile    int64
	Sums       int64 // checksums, and the SHA-256 of the original
	Padding    int64 // and reserved bytes
	Trailer    int64
}

const (
	rowSumLen      = 8
	sha256Len      = 32
	trailerSumsLen = 8 + 8
)

// Account says what the bytes around the records of idx are.
func (idx *Index) Account() Account {
	rows, name := int64(len(idx.Rows)), len(idx.Meta.Name)
	reserved := int64(trailerSum - trailerReserved)
	return Account{
		FileHeader: HeaderLen,
		Index:      metaLen - sha256Len + int64(name) + rows*(rowLen-rowSumLen),
		Profile:    int64(len(idx.Profile)),
		Sums:       sha256Len + rows*rowSumLen + trailerSumsLen,
		Padding:    int64(rowsOffset(name)-metaLen-name) + reserved,
		Trailer:    TrailerLen - trailerSumsLen - reserved,
	}
}
