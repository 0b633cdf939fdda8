"""Many machines: a plan of units, claimed and dreamed by any number of workers, and joined."""
