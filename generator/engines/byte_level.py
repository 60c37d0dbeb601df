"""From byte-level BPE tokens to text, as they come."""

from __future__ import annotations

import codecs


class ByteLevelDecoder:
    """Turns byte-level BPE tokens into text as they come, holding back bytes until a code point is complete."""

    def __init__(self) -> None:
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def feed(self, token: str) -> str:
        return self._utf8.decode(bytes(_BYTE_OF[c] for c in token if c in _BYTE_OF))

    def finish(self) -> str:
        return self._utf8.decode(b"", final=True)


def _byte_alphabet() -> dict[str, int]:
    """GPT-2's printable stand-in for each of the 256 bytes (https://github.com/openai/gpt-2, encoder.py)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    stand_ins = {chr(byte): byte for byte in printable}
    others = [byte for byte in range(256) if byte not in printable]
    return stand_ins | {chr(256 + i): byte for i, byte in enumerate(others)}


_BYTE_OF = _byte_alphabet()
