"""Needs what is not there."""

import a_module_nobody_has  # noqa: F401
