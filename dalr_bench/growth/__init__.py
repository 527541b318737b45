"""How a training step grows: time and memory of its points along an axis, taken in turn."""
