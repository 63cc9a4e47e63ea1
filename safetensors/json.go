package safetensors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

const metadataKey = "__metadata__"

var comma = []byte{','}

// parseHeader reads the JSON part of the header, padding included. The offsets
// of the tensors it gives are those of the file, not yet checked.
func parseHeader(raw []byte) (*Header, error) {
	if err := checkText(raw); err != nil {
		return nil, err
	}
	w := walker{dec: json.NewDecoder(bytes.NewReader(raw))}
	w.dec.UseNumber()

	h := &Header{}
	err := w.object(func(key string) error {
		if key == metadataKey {
			m, err := w.metadata()
			h.Metadata = m
			return err
		}
		t, err := w.tensor(key)
		h.Tensors = append(h.Tensors, t)
		return err
	})
	if err != nil {
		return nil, err
	}
	end := w.dec.InputOffset()
	if pad := bytes.TrimLeft(raw[end:], " "); len(pad) > 0 {
		return nil, fmt.Errorf("header byte %d: only spaces may follow the JSON object", len(raw)-len(pad))
	}
	return h, nil
}

// checkText checks what json.Decoder lets pass: a start that is not '{', and
// text that it would replace with U+FFFD, so that two names that differ in the
// file would come out the same.
func checkText(raw []byte) error {
	if len(raw) == 0 || raw[0] != '{' {
		return errors.New("header does not start with '{'")
	}
	if !utf8.Valid(raw) {
		return errors.New("header is not valid UTF-8")
	}
	if i := loneSurrogate(raw); i >= 0 {
		return fmt.Errorf("header byte %d: escape is half of a surrogate pair", i)
	}
	return nil
}

// loneSurrogate gives the place of the first \u escape that is half of a
// surrogate pair without the other half, or -1. In JSON every backslash begins
// an escape; where it does not, the decoder will complain.
func loneSurrogate(b []byte) int {
	for i := 0; i < len(b); {
		skip := bytes.IndexByte(b[i:], '\\')
		if skip < 0 {
			break
		}
		i += skip
		u, ok := escapedUnit(b[i:])
		switch {
		case !ok:
			i += 2
		case !utf16.IsSurrogate(u):
			i += 6
		default:
			v, _ := escapedUnit(b[i+6:])
			if utf16.DecodeRune(u, v) == unicode.ReplacementChar {
				return i
			}
			i += 12
		}
	}
	return -1
}

// escapedUnit gives the UTF-16 code unit of the \uXXXX that b begins with.
func escapedUnit(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	u, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	return rune(u), err == nil
}

// walker reads the header token by token: json.Unmarshal would let duplicate
// keys pass. It never descends further than the format goes.
type walker struct {
	dec *json.Decoder
	raw json.RawMessage // scratch of integers
}

// token gives the next token. The decoder checks the syntax around it.
func (w *walker) token() (json.Token, error) {
	t, err := w.dec.Token()
	if err != nil {
		return nil, w.syntax(err)
	}
	return t, nil
}

// syntax says where the decoder has failed with err.
func (w *walker) syntax(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errors.New("header ends inside its JSON object")
	}
	return fmt.Errorf("behind header byte %d: %w", w.dec.InputOffset(), err)
}

// unexpected reports that t, the token just read, is not what should be there.
func (w *walker) unexpected(t json.Token, want string) error {
	got := "null"
	if t != nil {
		got = quote(fmt.Sprint(t))
	}
	return fmt.Errorf("want %s, found %s before header byte %d", want, got, w.dec.InputOffset())
}

func (w *walker) delim(d json.Delim) error {
	t, err := w.token()
	if err != nil {
		return err
	}
	if t != d {
		return w.unexpected(t, strconv.Quote(d.String()))
	}
	return nil
}

func (w *walker) text() (string, error) {
	t, err := w.token()
	if err != nil {
		return "", err
	}
	s, ok := t.(string)
	if !ok {
		return "", w.unexpected(t, "a string")
	}
	return s, nil
}

// integers reads an array of at most limit numbers that consist of digits only:
// no sign, fraction or exponent. It takes the array from the decoder in one
// piece, because a token for each number takes several times as long.
func (w *walker) integers(limit int) ([]int64, error) {
	if err := w.dec.Decode(&w.raw); err != nil {
		return nil, w.syntax(err)
	}
	if w.raw[0] != '[' {
		return nil, w.unexpected(string(w.raw), "an array")
	}
	list := bytes.TrimSpace(w.raw[1 : len(w.raw)-1])
	if len(list) == 0 {
		return []int64{}, nil
	}
	n := bytes.Count(list, comma) + 1
	if n > limit {
		return nil, w.unexpected(string(w.raw), fmt.Sprintf("at most %d numbers", limit))
	}
	ints := make([]int64, 0, n)
	for field := range bytes.SplitSeq(list, comma) {
		field = bytes.TrimSpace(field)
		v, err := strconv.ParseUint(string(field), 10, 63)
		if err != nil {
			return nil, w.unexpected(string(field), "whole numbers from 0 to 2^63-1")
		}
		ints = append(ints, int64(v))
	}
	return ints, nil
}

// object reads an object whose keys are all different. It calls value after
// each key, to read what the key stands for.
func (w *walker) object(value func(key string) error) error {
	if err := w.delim('{'); err != nil {
		return err
	}
	seen := make(map[string]struct{})
	for w.dec.More() {
		key, err := w.text()
		if err != nil {
			return err
		}
		if _, ok := seen[key]; ok {
			return fmt.Errorf("key %s appears twice, again before header byte %d", quote(key), w.dec.InputOffset())
		}
		seen[key] = struct{}{}
		if err := value(key); err != nil {
			return err
		}
	}
	return w.delim('}')
}

func (w *walker) metadata() (map[string]string, error) {
	m := make(map[string]string)
	err := w.object(func(key string) error {
		s, err := w.text()
		if err != nil {
			return fmt.Errorf("key %s: %w", quote(key), err)
		}
		m[key] = s
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", metadataKey, err)
	}
	return m, nil
}

// tensor reads one entry: an object of exactly three keys, in any order.
func (w *walker) tensor(name string) (Tensor, error) {
	t := Tensor{Name: name}
	keys := 0
	err := w.object(func(key string) error {
		keys++
		if err := w.field(&t, key); err != nil {
			return fmt.Errorf("%s: %w", quote(key), err)
		}
		return nil
	})
	if err == nil && keys != 3 {
		err = fmt.Errorf("has %d of the keys dtype, shape and data_offsets, needs all 3", keys)
	}
	if err != nil {
		return Tensor{}, fmt.Errorf("tensor %s: %w", quote(name), err)
	}
	return t, nil
}

// field reads the value that stands under key in a tensor's entry.
func (w *walker) field(t *Tensor, key string) error {
	var err error
	switch key {
	case "dtype":
		var s string
		s, err = w.text()
		t.DType = DType(s)
	case "shape":
		t.Shape, err = w.integers(math.MaxInt)
	case "data_offsets":
		t.Begin, t.End, err = w.offsets()
	default:
		err = errors.New("unknown key; an entry has dtype, shape and data_offsets")
	}
	return err
}

func (w *walker) offsets() (begin, end int64, err error) {
	v, err := w.integers(2)
	if err != nil {
		return 0, 0, err
	}
	if len(v) != 2 {
		return 0, 0, fmt.Errorf("want 2 numbers, found %d before header byte %d", len(v), w.dec.InputOffset())
	}
	return v[0], v[1], nil
}
