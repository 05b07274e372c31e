"""Frames of videos at fixed frame x resolution grids: which, how many, cached, and read back."""
