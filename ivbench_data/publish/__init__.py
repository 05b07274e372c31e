"""A new version of a benchmark for others to use: splits, hidden answers, Parquet, a card, and the push.

`splits` says who is asked what, `hidden` takes answers out, `build` writes the folder, `selfcheck` attacks the
hidden answers, `changes` lists what is new, `push` puts the folder on the Hub. Nothing is pushed that was not
built and looked at first, and an earlier publication is replaced whole or not at all.
"""
