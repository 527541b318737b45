"""What a difference between two rows is worth: resampling, tests, intervals. Pure numbers: no file, no task."""
