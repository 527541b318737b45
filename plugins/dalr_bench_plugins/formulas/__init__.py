"""Formulas that several losses share: pure functions of tensors, in single precision or better under autocast too."""
