"""From uploaded bytes to passages with character offsets, and the worker that carries it out."""
