"""The Parquet tables of a publication, and the media beside them."""
