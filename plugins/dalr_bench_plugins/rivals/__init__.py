"""`dalr-bench bench train`: the model all sides share, and the ways others train it."""
