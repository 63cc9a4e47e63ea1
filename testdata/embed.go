// Package testdata holds a small model for tests, and for the demo of a binary
// that has no files beside it.
package testdata

import _ "embed"

// Stories260K is a Llama-like language model of 260,032 parameters in bf16, as
// a safetensors file. Trained on TinyStories; MIT licence.
//
//go:embed stories260k.bf16.safetensors
var Stories260K []byte
