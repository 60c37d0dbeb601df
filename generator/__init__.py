"""Composing answers: the GPT-2, its prompt, the proof of every sentence, and one customer turn."""
