"""Array types, tables of columns, and the compiler of kernels."""
