package main

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// printable gives a name that stands in a file as it may be shown: the file may
// be hostile, and a terminal obeys what is not printed.
func printable(name string) string {
	if !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(name)
	}
	return name
}
