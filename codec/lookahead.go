package codec

// lookahead is memory that a decoder needs soon: coded bytes that will be read
// (0), and where elements will be written (1). Kernels ask for its lines while
// they decode: from memory to memory, waiting for them took a third of the time.
type lookahead [2][]byte
