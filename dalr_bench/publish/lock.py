"""What is installed, as text that an installer reads back."""

from __future__ import annotations

import platform
from importlib.metadata import distributions


def lock() -> str:
    """`name==version` of every installed distribution, sorted. A local version (`2.13.0+cpu`) is a comment behind the
    public one: it names a build that no common index has.
    """
    found: dict[str, str] = {}
    for item in distributions():
        name = item.metadata["Name"]
        if name:
            # The first on the path is the one that is imported.
            found.setdefault(name.lower().replace("_", "-"), item.version)
    lines = [f"# Python {platform.python_version()} on {platform.platform()}"]
    for name, version in sorted(found.items()):
        public, plus, _ = version.partition("+")
        lines.append(f"{name}=={public}" + (f"  # {version}" if plus else ""))
    return "\n".join(lines) + "\n"
