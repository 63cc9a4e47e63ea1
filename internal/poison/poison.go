// Package poison makes memory that is used after it was released recognizably
// wrong, in builds with the tag poison, which tests have. It knows nothing of
// whose memory that is.
package poison

// Byte is what poisoned memory is filled with.
const Byte = 0xDB
