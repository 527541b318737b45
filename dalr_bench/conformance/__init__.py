"""The conformance kit: what a component promises, checked in a process of its own. `conforms("teacher/NAME")` is for tests.

`dalr-bench plugins check NAME` and `pytest --pyargs dalr_bench.conformance` run the same checks.
"""

from dalr_bench.conformance.kit import conforms

__all__ = ["conforms"]
