"""Hidden answers: the secret that orders their options, the answers kept apart, submissions."""
