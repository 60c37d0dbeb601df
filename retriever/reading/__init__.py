"""The reader: which sentences of a passage answer a question."""
