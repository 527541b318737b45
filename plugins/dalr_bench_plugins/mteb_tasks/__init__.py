"""What the `mteb` evaluator hands to the mteb library and gets back. Not components."""
