"""Models to compare with: a GRU and a Transformer encoder, with no auxiliary losses."""
