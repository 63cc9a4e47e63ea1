package main

import (
	"os"
	"slices"
	"strings"

	"github.com/scapefs/scapefs/archive"
	"github.com/scapefs/scapefs/codec"
	"github.com/scapefs/scapefs/safetensors"
)

// Methods that need a profile get one that was trained on files of other models:
// the families of models, which are the names up to the first hyphen or dot, fall
// into two halves in turn, in the order of the alphabet, and each half is coded by
// what was learned of the bf16 files of the other.

// mixtureSize and dictionaryLen are those of the profiles: the reference's K, and
// a dictionary that pays on files of a megabyte.
const (
	mixtureSize   = 4
	dictionaryLen = 4 << 10
)

// profiles are what was learned of each half, and which half a family is in.
type profiles struct {
	half    map[string]int
	learned [2][]*codec.Profile
}

func family(name string) string {
	return name[:strings.IndexAny(name+"-", "-.")]
}

func learn(paths []string) (p profiles, err error) {
	p.half = map[string]int{}
	var families []string
	for _, path := range paths {
		families = append(families, family(baseName(path)))
	}
	slices.Sort(families)
	for i, name := range slices.Compact(families) {
		p.half[name] = i % 2
	}
	for half := range p.learned {
		t := codec.NewTrainer()
		n := 0
		for _, path := range paths {
			name := baseName(path)
			if p.half[family(name)] == half && strings.HasSuffix(name, ".bf16") {
				n++
				if err := show(t, path); err != nil {
					return p, err
				}
			}
		}
		if n == 0 {
			continue
		}
		for _, k := range []int{1, mixtureSize} {
			profile, err := t.Profile(k, dictionaryLen)
			if err != nil {
				return p, err
			}
			p.learned[half] = append(p.learned[half], profile)
		}
	}
	return p, nil
}

// forFile gives the profile of the other half that m needs, nil if there is none.
func (p profiles) forFile(name string, m codec.Method) *codec.Profile {
	learned := p.learned[1-p.half[family(name)]]
	if m == codec.BF16SplitMixture {
		learned = slices.Clone(learned)
		slices.Reverse(learned)
	}
	for _, profile := range learned {
		if _, err := profile.For(m); err == nil {
			return profile
		}
	}
	return nil
}

// show shows t the chunks of the file at path.
func show(t *codec.Trainer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	header, err := safetensors.Parse(f, info.Size())
	if err != nil {
		return err
	}
	for _, s := range archive.Plan(header, info.Size(), 0) {
		data := make([]byte, s.Len)
		if _, err := f.ReadAt(data, s.Off); err != nil {
			return err
		}
		t.Add(data, s.Elem)
	}
	return nil
}
