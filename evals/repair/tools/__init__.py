"""The tools that are to be mended, one a file, since a learnable tool's code is the whole file of its function."""
