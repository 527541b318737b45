"""Records in, cells out, a page at the end."""
