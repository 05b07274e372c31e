"""Fetch annotations and images from the Hub, and videos with yt-dlp; statuses, and the ledger of attempts."""

from ivbench_data.fetch.download_limits import FetchLimits as FetchLimits
from ivbench_data.fetch.downloads import fetch_videos as fetch_videos
from ivbench_data.fetch.fetch_options import FetchOptions as FetchOptions
from ivbench_data.fetch.release_download import fetch_annotations as fetch_annotations
from ivbench_data.fetch.release_download import fetch_images as fetch_images
from ivbench_data.fetch.summary import report_fetch as report_fetch
