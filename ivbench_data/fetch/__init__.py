"""Fetching: annotations and images from the Hub, videos with yt-dlp; statuses, and the ledger that keeps them."""

from ivbench_data.fetch.limits import FetchLimits as FetchLimits
from ivbench_data.fetch.options import FetchOptions as FetchOptions
from ivbench_data.fetch.release import fetch_annotations as fetch_annotations
from ivbench_data.fetch.release import fetch_images as fetch_images
from ivbench_data.fetch.report import report_fetch as report_fetch
from ivbench_data.fetch.videos import fetch_videos as fetch_videos
