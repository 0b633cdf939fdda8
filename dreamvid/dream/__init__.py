"""One picture up the gradient: octaves, ascent, tiles, and the dreamer that puts them together."""
