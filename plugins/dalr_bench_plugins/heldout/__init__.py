"""Captioned pictures nobody trained on, and what is known of them: what diagnostics look at."""
