"""Attacks on the hidden answers of a published folder."""
