package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/zeebo/xxh3"
)

// Limits of a profile.
const (
	MaxProfileLen    = 1 << 20               // bytes of a profile
	MaxDistributions = 16                    // of a profile
	MaxDictionaryLen = MaxProfileLen - 1<<14 // bytes of a profile's dictionary
)

// ErrNoProfile reports a method that needs a profile, or a part of one, which
// is not there.
var ErrNoProfile = errors.New("no profile for this method")

// Profile is what was learned of some models for the sake of others: frequencies
// of signs and exponents and of mantissas, and a dictionary for zstd. It is safe
// for concurrent use. A nil Profile has neither.
type Profile struct {
	alpha         alphabet // of all distributions
	distributions []distribution
	dict          *dictionary // or nil
}

// distribution is what rANS codes bf16 elements by: their signs and exponents, as
// symbols of the profile's alphabet, and their mantissas.
type distribution struct {
	tables [2]frequencies
	sent   [2][]byte // as they stand in the profile
}

// of gives the frequencies for stream k.
func (d *distribution) of(k int) frequencies { return d.tables[min(k, 1)] }

const (
	profileMagic   = "\x89SPF"
	profileVersion = 1
	profileHead    = len(profileMagic) + 2
	profileSum     = 8
)

// Distributions is how many distributions p has.
func (p *Profile) Distributions() int {
	if p == nil {
		return 0
	}
	return len(p.distributions)
}

// DictionaryLen is how many bytes the dictionary of p has; 0 is none.
func (p *Profile) DictionaryLen() int {
	if p == nil || p.dict == nil {
		return 0
	}
	return len(p.dict.content)
}

// NeedsProfile tells whether m codes by a profile.
func (m Method) NeedsProfile() bool {
	return m == BF16SplitPretrained || m == BF16SplitMixture || m == Zstd19Dict
}

// For gives the part of p that m codes by, nil if m needs none. The error wraps
// ErrNoProfile if p lacks it.
func (p *Profile) For(m Method) (*Profile, error) {
	n := p.Distributions()
	switch {
	case !m.NeedsProfile():
		return nil, nil
	case p == nil:
		return nil, fmt.Errorf("%w: %v needs one", ErrNoProfile, m)
	case m == Zstd19Dict && p.dict == nil:
		return nil, fmt.Errorf("%w: %v needs one with a dictionary", ErrNoProfile, m)
	case m == Zstd19Dict:
		return &Profile{dict: p.dict}, nil
	case n == 0 || m == BF16SplitPretrained && n != 1:
		want := "distributions"
		if m == BF16SplitPretrained {
			want = "one distribution"
		}
		return nil, fmt.Errorf("%w: %v needs one with %s, this has %d", ErrNoProfile, m, want, n)
	}
	return &Profile{alpha: p.alpha, distributions: p.distributions}, nil
}

// Marshal gives the bytes that ParseProfile reads (docs/format.md, "Profile").
func (p *Profile) Marshal() []byte {
	b := append([]byte(profileMagic), profileVersion, byte(len(p.distributions)))
	if len(p.distributions) > 0 {
		b = p.alpha.marshal(b)
	}
	for i := range p.distributions {
		for _, table := range p.distributions[i].sent {
			b = append(b, table...)
		}
	}
	b = binary.AppendUvarint(b, uint64(p.DictionaryLen()))
	if p.dict != nil {
		b = append(b, p.dict.content...)
	}
	return binary.LittleEndian.AppendUint64(b, xxh3.Hash(b))
}

// ParseProfile parses a profile. The error wraps ErrCorrupt, or ErrUnsupported
// for one of a later version.
func ParseProfile(b []byte) (*Profile, error) {
	if len(b) > MaxProfileLen || len(b) < profileHead+profileSum || string(b[:len(profileMagic)]) != profileMagic {
		return nil, fmt.Errorf("%w: no profile", ErrCorrupt)
	}
	body, sum := b[:len(b)-profileSum], binary.LittleEndian.Uint64(b[len(b)-profileSum:])
	if xxh3.Hash(body) != sum {
		return nil, fmt.Errorf("%w: checksum of the profile does not match", ErrCorrupt)
	}
	version, n := body[len(profileMagic)], int(body[len(profileMagic)+1])
	if version != profileVersion {
		return nil, fmt.Errorf("%w: profile version %d", ErrUnsupported, version)
	}
	if n > MaxDistributions {
		return nil, fmt.Errorf("%w: profile of %d distributions", ErrCorrupt, n)
	}
	p := new(Profile)
	rest, err := p.parseDistributions(body[profileHead:], n)
	if err == nil {
		err = p.parseDictionary(rest)
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Profile) parseDistributions(b []byte, n int) (rest []byte, err error) {
	if n == 0 {
		return b, nil
	}
	if p.alpha, b, err = parseAlphabet(b, 1<<splitValueBits, nil); err != nil {
		return nil, err
	}
	p.distributions = make([]distribution, n)
	for i := range p.distributions {
		d := &p.distributions[i]
		for k, limit := range [...]int{maxSymbols, 1 << BF16.Mantissa} {
			before := b
			if d.tables[k], b, err = readFrequencies(b); err != nil {
				return nil, err
			}
			if len(d.tables[k]) > limit {
				return nil, fmt.Errorf("%w: profile with a table of %d symbols", ErrCorrupt, len(d.tables[k]))
			}
			d.sent[k] = before[:len(before)-len(b)]
		}
	}
	return b, nil
}

func (p *Profile) parseDictionary(b []byte) error {
	n, b, err := readUvarint(b, MaxDictionaryLen)
	if err != nil {
		return err
	}
	if uint64(len(b)) != n || n > 0 && n < minDictionaryLen {
		return fmt.Errorf("%w: profile with a dictionary of %d bytes of %d", ErrCorrupt, n, len(b))
	}
	if n > 0 {
		p.dict = newDictionary(b)
	}
	return nil
}

// dictionary is what zstd frames may copy from, as if it stood before them.
type dictionary struct {
	content  []byte
	decoders sync.Pool // of *zstd.Decoder
}

const (
	// dictionaryID stands in every frame that uses a dictionary.
	dictionaryID = 1
	// minDictionaryLen is the shortest one that zstd takes.
	minDictionaryLen = 8
)

func newDictionary(content []byte) *dictionary {
	d := &dictionary{content: content}
	d.decoders.New = func() any { return newZstdDecoder(zstd.WithDecoderDictRaw(dictionaryID, content)) }
	return d
}

func (d *dictionary) decode(dst, src []byte) error {
	z := d.decoders.Get().(*zstd.Decoder)
	defer d.decoders.Put(z)
	return decodeZstd(z, dst, src)
}
