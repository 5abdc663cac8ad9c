"""Array types, the compiler of kernels, and small array codecs."""
