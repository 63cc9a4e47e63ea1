package main

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v2"

	"github.com/scapefs/scapefs/archive"
	"github.com/scapefs/scapefs/codec"
	"github.com/scapefs/scapefs/index"
	"github.com/scapefs/scapefs/safetensors"
)

func infoCommand() *cli.Command {
	return &cli.Command{
		Name:      "info",
		Usage:     "say what an archive holds",
		ArgsUsage: "ARCHIVE",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "json", Usage: "print one JSON object"},
			&cli.BoolFlag{Name: "chunks", Usage: "list the chunks, too"},
			&cli.BoolFlag{Name: "audit", Usage: "say what every byte of the archive is there for, too"},
		},
		Action: info,
	}
}

// archiveInfo is what info tells. The names of its fields in JSON are stable.
type archiveInfo struct {
	Archive       string    `json:"archive"`
	Name          string    `json:"name"` // of the original
	OriginalSize  int64     `json:"original_size"`
	StoredSize    int64     `json:"stored_size"`
	Ratio         float64   `json:"ratio"`
	SHA256        string    `json:"sha256"` // of the original
	MTime         time.Time `json:"mtime"`
	Mode          string    `json:"mode"`
	FormatVersion int       `json:"format_version"`
	ChunkSize     uint32    `json:"chunk_size"`
	Chunks        int       `json:"chunks"`
	Records       int       `json:"records"` // stored chunks; the others equal one of them
	IndexBytes    int64     `json:"index_bytes"`
	ProfileBytes  int       `json:"profile_bytes,omitempty"` // what chunks were coded by, carried once
	Tensors       *int      `json:"tensors"`                 // null if the original has no safetensors header
	Methods       []share   `json:"methods"`
	DTypes        []share   `json:"dtypes"`

	ChunkList []chunkInfo     `json:"chunk_list,omitempty"` // with --chunks
	Audit     []archive.Share `json:"audit,omitempty"`      // with --audit: all kinds, adding up to stored_size
}

// share is the part of an archive that one method or dtype has.
type share struct {
	Name     string `json:"name"`
	Chunks   int    `json:"chunks"`
	Original int64  `json:"original_bytes"`
	Stored   int64  `json:"stored_bytes"` // a record counts for its first chunk
}

type chunkInfo struct {
	Chunk    int    `json:"chunk"`
	Offset   int64  `json:"offset"`            // in the original
	Length   uint32 `json:"length"`            // of the original
	Position int64  `json:"archive_offset"`    // of the record
	Stored   int64  `json:"stored_bytes"`      // of the record
	Header   uint32 `json:"header_bytes"`      // of the record
	Method   string `json:"method"`            //
	DType    string `json:"dtype"`             //
	SameAs   *int   `json:"same_as,omitempty"` // an earlier chunk that has the record
}

func info(c *cli.Context) error {
	if err := wantArgs(c, 1, 1); err != nil {
		return err
	}
	path := c.Args().First()
	r, err := openArchive(c.Context, path)
	if err != nil {
		return err
	}
	defer r.Close()
	in, err := describe(c.Context, path, r, c.Bool("chunks"))
	if err != nil {
		return err
	}
	if c.Bool("audit") {
		if in.Audit, err = archive.Audit(c.Context, r); err != nil {
			return err
		}
	}
	if c.Bool("json") {
		return writeJSON(c.App.Writer, in)
	}
	return in.print(c.App.Writer)
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

func describe(ctx context.Context, path string, r *archive.Reader, chunks bool) (archiveInfo, error) {
	meta := r.Index().Meta
	in := archiveInfo{
		Archive:       path,
		Name:          meta.Name,
		OriginalSize:  meta.Size,
		StoredSize:    r.StoredSize(),
		Ratio:         ratio(meta.Size, r.StoredSize()),
		SHA256:        hex.EncodeToString(meta.SHA256[:]),
		MTime:         meta.MTime,
		Mode:          meta.Mode.String(),
		FormatVersion: index.Version,
		ChunkSize:     meta.ChunkSize,
		Chunks:        len(r.Index().Rows),
	}
	list := listChunks(r.Index().Rows)
	in.Methods = shares(list, func(c chunkInfo) string { return c.Method })
	in.DTypes = shares(list, func(c chunkInfo) string { return c.DType })
	in.IndexBytes = r.StoredSize()
	for _, c := range list {
		if c.SameAs == nil {
			in.Records++
			in.IndexBytes -= c.Stored
		}
	}
	in.ProfileBytes = len(r.Index().Profile)
	in.IndexBytes -= index.HeaderLen + index.TrailerLen + int64(in.ProfileBytes)
	if chunks {
		in.ChunkList = list
	}
	var err error
	in.Tensors, err = countTensors(ctx, r)
	return in, err
}

func listChunks(rows []index.Row) []chunkInfo {
	list := make([]chunkInfo, len(rows))
	first := make(map[int64]int, len(rows))
	for i, row := range rows {
		list[i] = chunkInfo{
			Chunk:    i,
			Offset:   row.Off,
			Length:   row.Len,
			Position: row.Pos,
			Stored:   row.RecordLen(),
			Header:   row.HeaderLen,
			Method:   codec.Method(row.Method).String(),
			DType:    index.DTypeName(row.DType),
		}
		if same, ok := first[row.Pos]; ok {
			list[i].SameAs = &same
		} else {
			first[row.Pos] = i
		}
	}
	return list
}

// shares sums the chunks up by name, the largest share first.
func shares(list []chunkInfo, name func(chunkInfo) string) []share {
	at := map[string]int{}
	all := []share{}
	for _, c := range list {
		i, ok := at[name(c)]
		if !ok {
			i = len(all)
			at[name(c)] = i
			all = append(all, share{Name: name(c)})
		}
		all[i].Chunks++
		all[i].Original += int64(c.Length)
		if c.SameAs == nil {
			all[i].Stored += c.Stored
		}
	}
	slices.SortStableFunc(all, func(a, b share) int { return cmp.Compare(b.Original, a.Original) })
	return all
}

// countTensors reads the safetensors header out of the archive; nil if it has
// none.
func countTensors(ctx context.Context, r *archive.Reader) (*int, error) {
	h, err := safetensors.Parse(readerAt{ctx, r}, r.Size())
	if errors.Is(err, safetensors.ErrInvalid) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	n := len(h.Tensors)
	return &n, nil
}

// readerAt reads the original that an archive holds, one block after another.
type readerAt struct {
	ctx context.Context
	r   *archive.Reader
}

func (r readerAt) ReadAt(p []byte, off int64) (int, error) {
	done := 0
	var block []byte
	for done < len(p) {
		at := off + int64(done)
		n := r.r.Index().Find(at)
		if n < 0 {
			return done, io.EOF
		}
		chunk, err := r.r.Chunk(r.ctx, n)
		if err != nil {
			return done, err
		}
		within := int(at - r.r.Index().Rows[n].Off)
		b := chunk.Find(within)
		place := chunk.Block(b)
		block = slices.Grow(block[:0], place.Len)[:place.Len]
		if err := r.r.DecodeBlock(r.ctx, n, b, block); err != nil {
			return done, err
		}
		done += copy(p[done:], block[within-place.Off:])
	}
	return done, nil
}

func (in archiveInfo) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "archive\t%s\n", in.Archive)
	fmt.Fprintf(w, "original\t%s, %s, %v, %s\n", printable(in.Name), bytesOf(in.OriginalSize), in.MTime.Local().Format(time.RFC3339), in.Mode)
	fmt.Fprintf(w, "stored\t%s, ratio %.4f\n", bytesOf(in.StoredSize), in.Ratio)
	fmt.Fprintf(w, "sha256\t%s\n", in.SHA256)
	fmt.Fprintf(w, "format\tversion %d, %d chunks of up to %s in %d records, index %s\n",
		in.FormatVersion, in.Chunks, humanize.IBytes(uint64(in.ChunkSize)), in.Records, bytesOf(in.IndexBytes))
	if in.ProfileBytes > 0 {
		fmt.Fprintf(w, "profile\t%s\n", bytesOf(int64(in.ProfileBytes)))
	}
	if in.Tensors != nil {
		fmt.Fprintf(w, "tensors\t%d\n", *in.Tensors)
	} else {
		fmt.Fprintf(w, "tensors\tnone: not a safetensors file\n")
	}
	if err := w.Flush(); err != nil {
		return err
	}
	printShares(w, "method", in.Methods)
	printShares(w, "dtype", in.DTypes)
	printChunks(w, in.ChunkList)
	printAudit(w, in.Audit, in.StoredSize)
	return w.Flush()
}

func printAudit(w io.Writer, shares []archive.Share, size int64) {
	if shares == nil {
		return
	}
	fmt.Fprintf(w, "\nbytes of\t\tshare\n")
	for _, s := range shares {
		fmt.Fprintf(w, "%s\t%d\t%.4f%%\n", s.Kind, s.Bytes, 100*float64(s.Bytes)/float64(size))
	}
	fmt.Fprintf(w, "the archive\t%d\t100%%\n", size)
}

func printShares(w io.Writer, title string, all []share) {
	fmt.Fprintf(w, "\n%s\tchunks\toriginal\tstored\tratio\n", title)
	for _, s := range all {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%.4f\n", s.Name, s.Chunks, s.Original, s.Stored, ratio(s.Original, s.Stored))
	}
}

func printChunks(w io.Writer, list []chunkInfo) {
	if list == nil {
		return
	}
	fmt.Fprintf(w, "\nchunk\toffset\tlength\tarchive offset\tstored\theader\tmethod\tdtype\tsame as\n")
	for _, c := range list {
		same := ""
		if c.SameAs != nil {
			same = fmt.Sprint(*c.SameAs)
		}
		fmt.Fprintf(w, "%d\t%d\t%d\t%d\t%d\t%d\t%s\t%s\t%s\n",
			c.Chunk, c.Offset, c.Length, c.Position, c.Stored, c.Header, c.Method, c.DType, same)
	}
}

func bytesOf(n int64) string {
	return fmt.Sprintf("%s (%d bytes)", humanize.IBytes(uint64(n)), n)
}
