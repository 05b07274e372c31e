"""`python -m ivbench_data` is the same as `ivbench-data`."""

from ivbench_data.cli import main

main()
