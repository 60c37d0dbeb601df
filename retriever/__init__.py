"""Finding passages: the embedder, the index generations, the search and its measures."""
