"""What other programs read: one file a harness, and frames as pictures."""
