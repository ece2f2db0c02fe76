"""The greatest pictures that are read."""

# A larger picture would take gigabytes of memory, even out of a small file.
MAX_PIXELS = 1 << 27
# Transparent pixels take twice the memory while they are put on white.
MAX_ALPHA_PIXELS = 1 << 26
