"""Turbo: what the steps of an octave add, predicted in one pass by a small network."""
