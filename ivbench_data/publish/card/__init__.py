"""The dataset card, its facts, and the changelog."""
