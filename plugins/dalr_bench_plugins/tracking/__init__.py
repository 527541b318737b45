"""What the trackers share: the question whether their library is there."""
