// Package integration tests scapefs as its users meet it: the program packs
// and mounts in processes of its own, and everything is read back through the
// kernel.
package integration
