"""The report: a suite's results as one page that needs nothing else, and as pictures for papers."""
