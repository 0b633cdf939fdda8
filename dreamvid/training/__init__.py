"""Networks of one's own: `distil` from a large network, `train` from labelled pictures."""
