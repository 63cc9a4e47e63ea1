// Package atlas explains what can be saved on weights, and what is.
//
// It counts the symbols of every tensor of a file and gives their entropies and
// the ratio that bytewise coders cannot exceed; codes the file by the methods of
// package codec, chunk by chunk as an archive would, and gives the size that each
// reaches; and takes the difference between size and entropy apart.
//
// A file is read in order and a few chunks are held at a time, whatever its size.
// The package knows nothing of the command line, nor of how a report is shown
// but for the HTML page that it writes itself.
package atlas
