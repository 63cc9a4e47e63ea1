package codec

import "fmt"

// Level is how the method scape weighs size against speed.
type Level uint8

const (
	Balanced Level = iota // the default: rANS; contexts where they gain much
	Fast                  // decodes fastest: Huffman codes
	Small                 // contexts wherever they gain
)

var levelNames = [...]string{Fast: "fast", Balanced: "balanced", Small: "small"}

// Levels lists every level, the fastest to decode first.
func Levels() []Level { return []Level{Fast, Balanced, Small} }

func (l Level) String() string {
	if int(l) < len(levelNames) {
		return levelNames[l]
	}
	return fmt.Sprintf("level-%d", uint8(l))
}

// ParseLevel gives the level called name.
func ParseLevel(name string) (Level, error) {
	for _, l := range Levels() {
		if l.String() == name {
			return l, nil
		}
	}
	return 0, fmt.Errorf("unknown level %q (known: %v)", name, Levels())
}
