"""A push to the Hub: its plan, the repository, the commit."""
