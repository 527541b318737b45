"""BERT-like encoders on packed tokens: sentences of several lengths in one matrix, and no padding at all."""
