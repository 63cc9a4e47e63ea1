package atlas

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/scapefs/scapefs/codec"
)

// The page stands alone, says what was found, and is not led astray by names.
func TestWriteHTML(t *testing.T) {
	f, err := Analyse(t.Context(), "../testdata/stories260k.bf16.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []Coder{{Method: codec.BF16Split}, {Method: codec.Scape}} {
		if err := f.Code(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	f.Path = "<script>x</script>"
	var page bytes.Buffer
	if err := WriteHTML(&page, []*File{f, f}); err != nil {
		t.Fatal(err)
	}
	text := page.String()
	for _, want := range []string{"Ratio and speed", "Ratio of tensors by scape", "Ratio by kind of tensor", "Exponents", "From the entropy to the archive",
		"prefers-color-scheme: dark", "width=device-width", "<td>bf16_split</td>", "&lt;script&gt;"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	rest := strings.ReplaceAll(text, `xmlns="http://www.w3.org/2000/svg"`, "")
	if found := regexp.MustCompile(`https?:|<script|<link|<img|url\(|@import|NaN`).FindString(rest); found != "" {
		t.Errorf("the page has %q", found)
	}
}

func TestWriteHTMLOfNoWeights(t *testing.T) {
	var page bytes.Buffer
	if err := WriteHTML(&page, []*File{{Path: "empty"}}); err != nil || !strings.Contains(page.String(), "empty") {
		t.Errorf("%v, %q", err, page.String())
	}
}

func TestKinds(t *testing.T) {
	for name, want := range map[string]string{
		"model.layers.0.self_attn.q_proj.weight": "attention",
		"model.layers.0.mlp.down_proj.weight":    "MLP",
		"model.layers.0.input_layernorm.weight":  "norm",
		"model.embed_tokens.weight":              "embedding",
		"features.3.conv.weight":                 "convolution",
		"h.0.ln_1.weight":                        "norm",
		"something":                              "other",
	} {
		if got := kinds[kindOf(&Tensor{Name: name})].name; got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}
