"""Texts: how they are compared, and how they are written into Markdown and CSV."""
