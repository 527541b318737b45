"""Reading sentences, captions and photos as their owners ship them; every fault is named with its file and line."""
