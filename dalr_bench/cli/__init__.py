"""One command a file, each registered by the hook a stranger uses."""
