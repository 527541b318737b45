"""The loop: schedule → batch → encoding → weighted losses → step, and the best checkpoint by a dev task."""
