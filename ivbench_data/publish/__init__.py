"""From a dataset to a folder that others load: splits, hidden answers, the card, the self-check, the push."""
