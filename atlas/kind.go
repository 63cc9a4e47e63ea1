package atlas

import (
	"slices"
	"strings"
)

// kinds are what tensors are for, as their names tell; the last takes the rest.
// The first that has a word of the name counts.
var kinds = []struct {
	name  string
	words []string
}{
	{"norm", []string{"norm", "ln_", "_ln", "bn", "gamma"}},
	{"embedding", []string{"embed", "wte", "wpe", "lm_head", "emb"}},
	{"attention", []string{"attn", "attention", "q_proj", "k_proj", "v_proj", "o_proj", "query", "key", "value", "wq", "wk", "wv", "wo"}},
	{"MLP", []string{"mlp", "ffn", "feed_forward", "fc", "dense", "linear", "gate_proj", "up_proj", "down_proj", "w1", "w2", "w3"}},
	{"convolution", []string{"conv", "kernel"}},
	{"other", nil},
}

// kindOf gives the place of t's kind.
func kindOf(t *Tensor) int {
	name := strings.ToLower(t.Name)
	for i, k := range kinds {
		if slices.ContainsFunc(k.words, func(w string) bool { return strings.Contains(name, w) }) {
			return i
		}
	}
	return len(kinds) - 1
}
