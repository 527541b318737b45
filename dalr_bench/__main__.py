"""`python -m dalr_bench`: the command line, and what executors start as workers."""

from dalr_bench.cli.main import main

main()
