package archive

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math/bits"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz/lzma"
)

// A decoder written from docs/format.md alone, without the packages that it
// describes, to show that the specification suffices. It annotates what it
// reads on the way. It checks nothing: the archives it reads are good.

// walker reads an archive from start to end and notes what stands where.
type walker struct {
	b     []byte
	pos   int
	notes strings.Builder

	profile  *specProfile
	original []byte // decoded so far
	chunks   []int  // where the chunks begun so far begin in it
}

// note describes the next n bytes, and skips them.
func (w *walker) note(n int, format string, args ...any) []byte {
	b := w.b[w.pos : w.pos+n]
	text := fmt.Sprintf(format, args...)
	shown := b[:min(len(b), 16)]
	for i := 0; i < len(shown) || i == 0; i += 8 {
		end := min(i+8, len(shown))
		fmt.Fprintf(&w.notes, "%06x  %-23s  %s\n", w.pos+i, spaced(shown[i:end]), text)
		text = ""
	}
	if len(b) > len(shown) {
		fmt.Fprintf(&w.notes, "        ... %d bytes in all\n", len(b))
	}
	w.pos += n
	return b
}

func spaced(b []byte) string {
	var s []string
	for _, v := range b {
		s = append(s, hex.EncodeToString([]byte{v}))
	}
	return strings.Join(s, " ")
}

func (w *walker) u8(what string) int {
	v := int(w.b[w.pos])
	w.note(1, "%s: %d", what, v)
	return v
}

func (w *walker) u16(what string) int {
	v := int(binary.LittleEndian.Uint16(w.b[w.pos:]))
	w.note(2, "%s: %d", what, v)
	return v
}

func (w *walker) u32(what string) int {
	v := int(binary.LittleEndian.Uint32(w.b[w.pos:]))
	w.note(4, "%s: %d", what, v)
	return v
}

func (w *walker) u64(what string) int {
	v := int(binary.LittleEndian.Uint64(w.b[w.pos:]))
	w.note(8, "%s: %d", what, v)
	return v
}

func (w *walker) sum(what string) { w.note(8, "%s: xxh3-64", what) }

func (w *walker) varint(what string) int {
	v, n := binary.Uvarint(w.b[w.pos:])
	w.note(n, "%s: %d", what, v)
	return int(v)
}

// specRow is a row of the index, as far as decoding takes it.
type specRow struct{ pos, length, header, payload int }

// decodeBySpec decodes an archive whose records are all different, and
// returns the original and the notes.
func decodeBySpec(t *testing.T, b []byte) (original []byte, notes string) {
	t.Helper()
	trailer := b[len(b)-64:]
	at := int(binary.LittleEndian.Uint64(trailer))
	nameLen := int(binary.LittleEndian.Uint16(b[at+64:]))
	count := int(binary.LittleEndian.Uint32(b[at+60:]))
	rowsAt := at + (66+nameLen+7)/8*8

	w := &walker{b: b}
	if from := rowsAt + 40*count; from < len(b)-64 {
		w.pos = from
		w.profile = w.readProfile()
		*w = walker{b: b, profile: w.profile}
	}
	w.note(8, "FILE HEADER: magic")
	w.u16("version")
	w.u16("flags")
	w.u32("reserved")
	for i := range count {
		p := b[rowsAt+40*i:]
		row := specRow{int(binary.LittleEndian.Uint64(p[8:])), int(binary.LittleEndian.Uint32(p[16:])),
			int(binary.LittleEndian.Uint32(p[20:])), int(binary.LittleEndian.Uint32(p[24:]))}
		w.chunks = append(w.chunks, len(w.original))
		if row.pos < w.pos {
			// Stored once already: decode that record again, without notes.
			again := &walker{b: b, profile: w.profile, pos: row.pos, original: w.original, chunks: w.chunks}
			again.chunk(t, row, i)
			w.original = again.original
			continue
		}
		w.chunk(t, row, i)
	}
	w.index(count)
	return w.original, w.notes.String()
}

func (w *walker) index(count int) {
	w.u64("INDEX: size of the original")
	w.note(32, "SHA-256 of the original")
	w.u64("mtime, seconds")
	w.u32("mtime, nanoseconds")
	w.note(4, "mode: %#o", binary.LittleEndian.Uint32(w.b[w.pos:]))
	w.u32("chunk size")
	w.u32("rows")
	n := w.u16("length of the name")
	w.note(n, "name: %q", w.b[w.pos:w.pos+n])
	if pad := (66+n+7)/8*8 - 66 - n; pad > 0 {
		w.note(pad, "padding")
	}
	for i := range count {
		w.u64(fmt.Sprintf("row %d: offset", i))
		w.u64("position")
		w.u32("original bytes")
		w.u32("header bytes")
		w.u32("payload bytes")
		w.u8("method")
		w.u8("dtype")
		w.u16("flags")
		w.sum("chunk header")
	}
	if w.profile != nil {
		w.readProfile()
	}
	w.u64("TRAILER: position of the index")
	w.u64("length of the index")
	w.sum("index")
	w.u64("size of the archive")
	w.u16("version")
	w.note(14, "reserved")
	w.sum("trailer so far")
	w.note(8, "magic")
}

// specProfile is what all chunks may be coded by.
type specProfile struct {
	alphabet   func(symbol int) int
	freq       [][2][]int // of each distribution
	dictionary []byte
}

func (w *walker) readProfile() *specProfile {
	p := new(specProfile)
	w.note(4, "PROFILE: magic")
	w.u8("version")
	p.freq = make([][2][]int, w.u8("distributions"))
	if len(p.freq) > 0 {
		var m specModel
		w.alphabet(&m)
		p.alphabet = m.alphabet
	}
	for i := range p.freq {
		p.freq[i] = [2][]int{w.frequencies(), w.frequencies()}
	}
	n := w.varint("length of the dictionary")
	p.dictionary = w.note(n, "dictionary")
	w.sum("profile")
	return p
}

type specStream struct {
	bits, coder, constant, lanes int
	freq                         [][]int // of each class
	class                        func(out []byte, first, i int) int
	order                        func(n, p int) int // the p-th symbol that is coded
	dictionary                   []byte
	parts                        int // of Huffman
	lengths                      []int
}

type specModel struct {
	selection                       *specSelection
	kind, width, columns, raw, sign int
	natural                         bool
	alphabet                        func(symbol int) int
	streams                         []specStream
	symbols0                        *[]byte // of the block, by its first stream
}

// specSelection says which elements of a run are coded.
type specSelection struct {
	width, fill          int
	constant             []byte
	row, offset          int
	stride, count, phase int
	coded                []byte
	done                 int // bytes of the run that have been decoded
}

func (s *specSelection) has(i int) bool {
	j := (i + s.phase) / s.stride % s.count
	return s.coded[j/8]>>(j%8)&1 == 1
}

func (w *walker) chunk(t *testing.T, row specRow, i int) {
	t.Helper()
	end := row.pos + row.header + row.payload
	w.u8(fmt.Sprintf("CHUNK %d: method", i))
	models := make([]specModel, w.varint("models"))
	type block struct{ length, model, stored int }
	blocks := make([]block, w.varint("blocks"))
	for k := range models {
		models[k] = w.model(k)
	}
	for k := range blocks {
		blocks[k] = block{w.varint(fmt.Sprintf("block %d: length", k)), w.varint("model"), w.varint("stored length")}
		w.sum("block")
	}
	if w.pos != row.pos+row.header {
		t.Fatalf("chunk %d: header ends at %d, row says %d", i, w.pos, row.pos+row.header)
	}
	for k, b := range blocks {
		m := &models[b.model]
		var out []byte
		if m.selection == nil {
			first := (len(w.original) - w.chunks[i]) / m.width
			out = w.block(t, m, first, b.length, w.pos+b.stored, k)
		} else {
			out = w.selected(t, m, b.length, w.pos+b.stored, k)
		}
		w.original = append(w.original, out...)
	}
	if n := len(w.original) - w.chunks[i]; w.pos != end || n != row.length {
		t.Fatalf("chunk %d ends at %d with %d bytes, row says %d with %d", i, w.pos, n, end, row.length)
	}
}

// selected decodes a block whose model selects.
func (w *walker) selected(t *testing.T, m *specModel, length, end, k int) []byte {
	s := m.selection
	first, n, coded := s.done/s.width, length/s.width, 0
	for e := range n {
		if s.has(first + e) {
			coded += s.width
		}
	}
	var inner []byte
	var signs specBits
	if s.fill == 2 {
		signs.b = w.note((n-coded/s.width+7)/8, "block %d: signs", k)
	}
	if coded > 0 {
		inner = w.block(t, m, 0, coded, end, k)
	}
	var out []byte
	for e := range n {
		switch {
		case s.has(first + e):
			out, inner = append(out, inner[:s.width]...), inner[s.width:]
		case s.fill == 0:
			out = append(out, s.constant...)
		case s.fill == 2:
			out = append(out, s.constant...)
			out[len(out)-1] |= byte(signs.read(1) << 7)
		default:
			at := w.chunks[s.row] + s.offset + s.done + e*s.width
			out = append(out, w.original[at:at+s.width]...)
		}
	}
	s.done += length
	return out
}

func (w *walker) model(k int) (m specModel) {
	m.kind, m.width, m.symbols0 = w.u8(fmt.Sprintf("model %d: split", k)), 1, new([]byte)
	if m.kind == 3 {
		m.selection = w.selection()
		m.kind = w.u8("inner split")
	}
	widths := []int{8}
	switch m.kind {
	case 1:
		m.width, m.columns = w.u8("width"), w.varint("columns")
		widths = make([]int, m.width)
		for i := range widths {
			widths[i] = 8
		}
	case 2:
		widths = w.top(&m)
	}
	for i, bits := range widths {
		m.streams = append(m.streams, w.stream(&m, i, bits))
	}
	return m
}

func (w *walker) selection() *specSelection {
	s := &specSelection{width: w.u8("width"), fill: w.u8("fill")}
	if s.fill == 1 {
		s.row, s.offset = w.varint("row"), w.varint("offset")
	} else {
		s.constant = w.note(s.width, "constant")
	}
	s.stride, s.count, s.phase = w.varint("stride"), w.varint("count"), w.varint("phase")
	s.coded = w.note((s.count+7)/8, "coded")
	return s
}

func (w *walker) top(m *specModel) (widths []int) {
	m.width, m.raw = w.u8("width"), w.u8("raw bits")
	flags := w.u8("flags")
	m.sign, m.natural = flags&3, flags&4 != 0
	value := 8*min(m.width, 2) - m.raw
	w.alphabet(m)
	widths = []int{min(8, value)}
	if m.raw%8 != 0 {
		widths = append(widths, m.raw%8)
	}
	if m.raw >= 8 {
		widths = append(widths, 8)
	}
	for range m.width - 2 {
		widths = append(widths, 8)
	}
	return widths
}

func (w *walker) alphabet(m *specModel) {
	kind := w.u8("alphabet")
	switch kind {
	case 0, 1:
		base := w.varint("base")
		m.alphabet = func(s int) int {
			if kind == 1 && s == 0 {
				return 0
			}
			return base + s
		}
	case 2:
		list := make([]int, w.varint("values"))
		next := 0
		for i := range list {
			list[i] = next + w.varint("gap")
			next = list[i] + 1
		}
		m.alphabet = func(s int) int { return list[s] }
	case 3:
		m.alphabet = w.profile.alphabet
	}
}

func (w *walker) stream(m *specModel, i, width int) (s specStream) {
	s.bits, s.coder = width, w.u8(fmt.Sprintf("stream %d: coder", i))
	switch s.coder {
	case 1:
		s.constant = w.u8("constant")
	case 3:
		s.lanes = 1 << w.u8("lanes, log2")
		s.class = func([]byte, int, int) int { return 0 }
		s.order = func(_, p int) int { return p }
		s.freq = append(s.freq, w.frequencies())
	case 8:
		s.dictionary = w.profile.dictionary
	case 9:
		s.lanes = 1 << w.u8("lanes, log2")
		s.class = func([]byte, int, int) int { return 0 }
		s.order = func(_, p int) int { return p }
		s.freq = append(s.freq, w.profile.freq[w.u8("distribution")][min(i, 1)])
	case 6:
		s.lanes = 1 << w.u8("lanes, log2")
		kind, classes := w.u8("context"), w.u8("classes")
		s.order = func(_, p int) int { return p }
		switch kind {
		case 0:
			w.places(&s, classes)
		case 1:
			w.neighbour(m, i, &s)
		case 2:
			w.bySymbol(m, &s, classes)
		}
		for range classes {
			s.freq = append(s.freq, w.frequencies())
		}
	case 5:
		s.parts = 1 << w.u8("streams, log2")
		n := w.u8("symbols - 1") + 1
		r := specBits{b: w.b[w.pos:]}
		length := 0
		for range n {
			length += r.class()
			s.lengths = append(s.lengths, length)
		}
		w.note((r.at+7)/8, "code lengths")
	}
	return s
}

func (w *walker) frequencies() (f []int) {
	n, precision := w.u8("symbols - 1")+1, w.u8("precision")
	r := specBits{b: w.b[w.pos:]}
	class := 0
	for range n {
		class += r.class()
		f = append(f, r.weight(class, precision))
	}
	w.note((r.at+7)/8, "weights")
	return specNormalise(f)
}

func (w *walker) places(s *specStream, classes int) {
	axes, floor := w.u8("axes"), w.u8("floor")
	type axis struct {
		stride, phase int
		places        []int
	}
	var list []axis
	for range axes {
		a := axis{stride: w.varint("stride"), places: make([]int, w.varint("places"))}
		a.phase = w.varint("phase")
		width := w.u8("bits of a place")
		r := specBits{b: w.b[w.pos:]}
		for i := range a.places {
			a.places[i] = r.read(width)
		}
		w.note((r.at+7)/8, "places")
		list = append(list, a)
	}
	s.class = func(_ []byte, first, i int) int {
		sum := -floor
		for _, a := range list {
			sum += a.places[(first+i+a.phase)/a.stride%len(a.places)]
		}
		return min(max(sum, 0), classes-1)
	}
}

func (w *walker) neighbour(m *specModel, stream int, s *specStream) {
	lag, segmented, none := w.varint("lag"), w.u8("segmented"), w.u8("class without neighbour")
	thresholds := make([]int, w.u8("thresholds"))
	for i := range thresholds {
		thresholds[i] = w.u8("threshold")
	}
	key := func(symbol int) int {
		if m.kind != 2 || stream > 0 {
			return symbol
		}
		v := m.alphabet(symbol)
		if m.sign == 2 && v%2 == 1 {
			return -(v / 2) - 1
		} else if m.sign == 2 {
			return v / 2
		}
		return v
	}
	s.class = func(out []byte, _, i int) (class int) {
		from, n := i, len(out)/64
		if segmented == 1 && i < 64*n {
			from = i % n
		} else if segmented == 1 {
			return none
		}
		if from < lag {
			return none
		}
		for _, t := range thresholds {
			if key(t) <= key(int(out[i-lag])) {
				class++
			}
		}
		return class
	}
	if segmented == 1 {
		s.order = func(n, p int) int {
			if p >= n/64*64 {
				return p
			}
			return p%64*(n/64) + p/64
		}
	}
}

func (w *walker) bySymbol(m *specModel, s *specStream, classes int) {
	thresholds := w.note(classes-1, "thresholds")
	s.class = func(_ []byte, _, i int) (class int) {
		for _, t := range thresholds {
			if t <= (*m.symbols0)[i] {
				class++
			}
		}
		return class
	}
}

// specBits reads bits, the lowest first.
type specBits struct {
	b  []byte
	at int
}

func (r *specBits) read(n int) (v int) {
	for i := range n {
		v |= int(r.b[r.at/8]>>(r.at%8)&1) << i
		r.at++
	}
	return v
}

func (r *specBits) class() int {
	switch {
	case r.read(1) == 0:
		return 0
	case r.read(1) == 0:
		return -1
	case r.read(1) == 0:
		return 1
	}
	z := r.read(5) + 3
	if z%2 == 0 {
		return z / 2
	}
	return -(z + 1) / 2
}

func (r *specBits) weight(length, precision int) int {
	if length < 2 {
		return length
	}
	m := min(length-1, precision)
	v := (1<<m | r.read(m)) << (length - 1 - m)
	if m < length-1 {
		v |= 1 << (length - 2 - m)
	}
	return v
}

func specNormalise(w []int) []int {
	sum, left := 0, 4096
	for _, v := range w {
		sum += v
	}
	if sum == 4096 {
		return w
	}
	f := make([]int, len(w))
	for i, v := range w {
		if v > 0 {
			f[i] = max(1, 4096*v/sum)
			left -= f[i]
		}
	}
	lengths := make([]int, len(f))
	for i, v := range f {
		lengths[i] = bits.Len(uint(v))
	}
	for length := 12; left > 0; length-- {
		for i := range f {
			if lengths[i] == length && left > 0 {
				f[i]++
				left--
			}
		}
	}
	for ; left < 0; left++ {
		most := 0
		for i := range f {
			if f[i] > f[most] {
				most = i
			}
		}
		f[most]--
	}
	return f
}

func (w *walker) block(t *testing.T, m *specModel, first, length, end, k int) []byte {
	t.Helper()
	n := length / m.width
	sizes := make([]int, len(m.streams))
	last, fixed := -1, 0
	for i, s := range m.streams {
		switch s.coder {
		case 0:
			sizes[i] = n
		case 2:
			sizes[i] = specPackedLen(n, s.bits)
		case 3, 4, 5, 6, 7, 8, 9:
			if last >= 0 {
				sizes[last] = w.varint(fmt.Sprintf("block %d: length of stream %d", k, last))
				fixed += sizes[last]
			}
			last = i
			continue
		}
		fixed += sizes[i]
	}
	if last >= 0 {
		sizes[last] = end - w.pos - fixed
	}
	symbols := make([][]byte, len(m.streams))
	for i := range m.streams {
		coded := w.note(sizes[i], "block %d: stream %d", k, i)
		symbols[i] = specDecodeStream(t, &m.streams[i], first, n, coded)
		*m.symbols0 = symbols[0]
	}
	out := make([]byte, length)
	for e := range n {
		m.element(out[e*m.width:(e+1)*m.width], symbols, e, n)
	}
	return out
}

// element puts element e of n together.
func (m *specModel) element(out []byte, symbols [][]byte, e, n int) {
	if m.kind != 2 {
		at := e
		if m.kind == 1 && e < n/m.columns*m.columns {
			at = e%m.columns*(n/m.columns) + e/m.columns
		}
		for k := range out {
			out[k] = symbols[k][at]
		}
		return
	}
	at := e
	if group := e / 64 * 64; !m.natural && m.width > 1 && group+64 <= n {
		at = group + 2*(e%32) + e%64/32
	}
	value, raw, next := m.alphabet(int(symbols[0][at])), 0, 1
	if m.raw%8 != 0 {
		raw = int(symbols[next][at])
		next++
	}
	if m.raw >= 8 {
		raw = raw<<8 | int(symbols[next][at])
		next++
	}
	u := 8 * min(m.width, 2)
	unit := value<<m.raw + raw
	switch m.sign {
	case 1:
		low := 1 << (m.raw - 1)
		unit = value*low + raw%low + raw/low<<(u-1)
	case 2:
		unit = value/2<<m.raw + raw + value%2<<(u-1)
	}
	if m.width == 1 {
		out[0] = byte(unit)
		return
	}
	binary.LittleEndian.PutUint16(out[m.width-2:], uint16(unit))
	for k := m.width - 3; k >= 0; k-- {
		out[k] = symbols[next][e]
		next++
	}
}

func specGroup(k int) (in, out int) {
	switch k {
	case 2, 6:
		return 4, k / 2
	case 4:
		return 2, 1
	}
	return 8, k
}

func specPackedLen(n, k int) int {
	in, out := specGroup(k)
	return n/(64*in)*64*out + (n%(64*in)*k+7)/8
}

func specDecodeStream(t *testing.T, s *specStream, first, n int, b []byte) []byte {
	t.Helper()
	switch s.coder {
	case 1:
		return bytes.Repeat([]byte{byte(s.constant)}, n)
	case 2:
		return specUnpack(n, s.bits, b)
	case 3, 6, 9:
		return specRANS(t, s, first, n, b)
	case 4, 8:
		z, err := zstd.NewReader(nil, zstd.WithDecoderDictRaw(1, s.dictionary))
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		out, err := z.DecodeAll(b, nil)
		if err != nil {
			t.Fatal(err)
		}
		return out
	case 5:
		return specHuffman(t, s, n, b)
	case 7:
		r, err := lzma.Reader2Config{DictCap: max(n, 4096)}.NewReader2(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		out, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	return b
}

func specHuffman(t *testing.T, s *specStream, n int, b []byte) []byte {
	t.Helper()
	codes := map[string]byte{}
	code, before := 0, 0
	for length := 1; length <= 12; length++ {
		for symbol, l := range s.lengths {
			if l == length {
				code <<= length - before
				before = length
				codes[fmt.Sprintf("%0*b", length, code)] = byte(symbol)
				code++
			}
		}
	}
	sizes := make([]int, s.parts)
	for k := range s.parts - 1 {
		v, used := binary.Uvarint(b)
		sizes[k], b = int(v), b[used:]
	}
	sizes[s.parts-1] = len(b)
	for _, size := range sizes[:s.parts-1] {
		sizes[s.parts-1] -= size
	}
	places := make([][]int, s.parts) // of each stream's symbols
	whole := n / (4096 * s.parts) * 4096 * s.parts
	for i := range whole {
		k := i / 4096 % s.parts
		places[k] = append(places[k], i)
	}
	groups := (n - whole + 511) / 512
	for k, i := 0, whole; k < s.parts; k++ {
		share := groups / s.parts
		if k < groups%s.parts {
			share++
		}
		for end := min(i+512*share, n); i < end; i++ {
			places[k] = append(places[k], i)
		}
	}
	out := make([]byte, n)
	for k, places := range places {
		r := specBits{b: b[:sizes[k]]}
		for i := len(places) - 1; i >= 0; i-- {
			for word, ok := "", false; !ok; {
				word += string('0' + byte(r.read(1)))
				out[places[i]], ok = codes[word]
			}
		}
		if (r.at+7)/8 != sizes[k] || r.at%8 > 0 && r.read(8-r.at%8) != 0 {
			t.Fatalf("Huffman stream %d of %d bytes ends after %d bits", k, sizes[k], r.at)
		}
		b = b[sizes[k]:]
	}
	return out
}

func specUnpack(n, k int, b []byte) []byte {
	in, out := specGroup(k)
	symbols := make([]byte, 0, n)
	for ; len(symbols)+64*in <= n; b = b[64*out:] {
		group := make([]byte, 64*in)
		for j := range 64 {
			left := 0 // bits of the vectors that are not stored
			for v := range out {
				group[64*v+j] = b[64*v+j] & (1<<k - 1)
			}
			for i := range (in - out) * k {
				bit := b[64*(i/(8-k))+j] >> (k + i%(8-k)) & 1
				left |= int(bit) << i
			}
			for v := out; v < in; v++ {
				group[64*v+j] = byte(left>>((v-out)*k)) & (1<<k - 1)
			}
		}
		symbols = append(symbols, group...)
	}
	r := specBits{b: b}
	for len(symbols) < n {
		symbols = append(symbols, byte(r.read(k)))
	}
	return symbols
}

func specRANS(t *testing.T, s *specStream, first, n int, b []byte) []byte {
	t.Helper()
	states := make([]int, s.lanes)
	for i := range states {
		states[i] = int(binary.LittleEndian.Uint32(b[4*i:]))
	}
	b = b[4*s.lanes:]
	out := make([]byte, n)
	for p := range out {
		i := s.order(n, p)
		freq := s.freq[s.class(out, first, i)]
		x := &states[p%s.lanes]
		slot, start, symbol := *x%4096, 0, 0
		for ; start+freq[symbol] <= slot; symbol++ {
			start += freq[symbol]
		}
		out[i] = byte(symbol)
		*x = freq[symbol]*(*x/4096) + slot - start
		if *x < 1<<16 {
			*x = *x<<16 + int(binary.LittleEndian.Uint16(b))
			b = b[2:]
		}
	}
	for _, x := range states {
		if x != 1<<16 || len(b) > 0 {
			t.Fatalf("a state ends at %d, %d bytes left", x, len(b))
		}
	}
	return out
}
