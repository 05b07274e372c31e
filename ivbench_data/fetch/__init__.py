"""Fetching: annotations and images from the Hub, videos with yt-dlp; statuses, and the ledger that keeps them."""
