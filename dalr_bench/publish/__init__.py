"""What leaves the harness: a cell as a model folder with its card, a run as a file that is run again elsewhere."""
