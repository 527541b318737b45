"""BERT-like encoders compiled for a few shapes: a batch in slices of equally many rows, padded to one of few widths."""
