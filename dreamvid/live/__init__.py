"""Dreaming in real time: what is captured, what it may cost, where it goes, who controls it."""
