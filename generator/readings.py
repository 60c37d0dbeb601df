"""What else a sentence of the evidence says: shorter or plainer readings of it, each true wherever the sentence is.

A bracket that only spells a name out, refers elsewhere or gives examples narrows nothing, and a pronoun says what it
stands for. Whatever might narrow the sentence stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from domain.text import Span

_LEANS = re.compile(
    r"^(?:it|they|this|these|he|she)\b(?! (?:is|was) (?:not )?(?:possible|necessary|required)\b)", re.IGNORECASE
)
_SUBJECT = re.compile(
    r"^(.{3,80}?)\s+(?:is|are|was|were|can|cannot|may|must|will|has|have|had|does|do|did|should|needs?|costs?|takes?|gives?|gets?|lasts?|opens?|covers?|includes?|requires?|contains?|offers?|pays?|"
    r"starts?|ends?|begins?|receives?|accepts?|provides?|works?)\b"
)
_BRACKET = re.compile(r"\s*[(\[]([^()\[\]]*)[)\]]")
_ABBREVIATION = re.compile(r"(?=(?:[^A-Z]*[A-Z]){2})[A-Za-z][\w-]*\.?")
_REFERENCE = re.compile(
    r"(?:e\.\s?g\.|i\.\s?e\.|cf\.|(?:see|for example|for instance|such as|also (?:called|known)|formerly)\b)",
    re.IGNORECASE,
)
_IN_OTHER_TONGUE = re.compile(r"^[A-Z][a-z]+: |[\u0250-\u1dff\u3040-\u9fff]")
_MEASURE = re.compile(
    r"(?:about |approx\. )?[\d.,]+ ?(?:km|m|cm|mm|kg|g|lb|lbs|oz|mi|miles|ft|feet|in|inches|°?[CF])\.?"
)
_FRONTED = re.compile(
    r"((?:After|Before|Until|During|On|In|At|Within|From|For|With|Without)\s[^,;:]{3,80}), ([^,;:]{8,}?)([.!]?)$"
)
_WISH = re.compile(r"^If you (?:want|wish|would like) to (\w)(?=[^,]+, )")
_UNPAID = re.compile(
    r"^(?:You|Customers) (?:do not|don['’]t|need not|needn['’]t) (?:(?:have|need) to )?pay (?:anything )?for (?=\w)"
)
_NO_FEE = re.compile(
    r"\bno (?!extra|additional|other|further)((?:[a-z]+ ){1,2})(?:fees?|charges?|costs?)\b(?! (?:of|for) [\d€$£])"
)
_STEPS_BACK = 3


def readings(text: str, spans: Sequence[Span], i: int) -> Iterator[tuple[int, str]]:
    """Sentence ``i`` as it stands, its parts between semicolons, without harmless brackets, with its pronoun filled in.

    Yields:
        The first sentence that the reading rests on, and the reading.
    """
    own = spans[i].of(text)
    yield i, own
    yield from ((i, other) for other in plainer(own)[1:])
    if ";" in own:
        yield from ((i, part) for part in re.split(r";\s", own))
    bare = without_brackets(own)
    if bare != own:
        yield i, bare
    if found := _antecedent(text, spans, i):
        start, subject = found
        yield start, _LEANS.sub(subject.replace("\\", ""), bare, count=1)


def without_brackets(sentence: str) -> str:
    """The sentence without brackets that hold an abbreviation, a reference, an example or a measure in other units."""
    return _BRACKET.sub(
        lambda match: "" if _is_harmless(match[1].strip(), sentence[: match.start()]) else match[0], sentence
    )


def wordings(claim: str) -> list[str]:
    """A claim as it stands and in plainer forms; ``If you want to pay`` is as good a condition as ``To pay``."""
    wish = _WISH.sub(lambda match: f"To {match[1]}", claim, count=1)
    return list(dict.fromkeys((*plainer(claim), wish)))


def plainer(sentence: str) -> list[str]:
    """The sentence, and the same with a fronted adverb behind and with ``free`` for ``no fee``."""
    free = _NO_FEE.sub(r"free \1", _UNPAID.sub("There is free ", sentence, count=1), count=1).strip()
    return list(dict.fromkeys((sentence, unfronted(sentence), free)))


def unfronted(sentence: str) -> str:
    """``On Mondays, the shop is closed.`` as ``The shop is closed on Mondays.``; other sentences as they are."""
    match = _FRONTED.match(sentence)
    if not match:
        return sentence
    lead, main, stop = match.groups()
    return f"{main[:1].upper()}{main[1:]} {lead[:1].lower()}{lead[1:]}{stop}"


def _is_harmless(inside: str, before: str) -> bool:
    if _REFERENCE.match(inside) or _IN_OTHER_TONGUE.search(inside):
        return True
    if _ABBREVIATION.fullmatch(inside):
        return before[-1:].isalpha()
    return bool(_MEASURE.fullmatch(inside)) and bool(re.search(r"\d[\d.,]* ?[a-z]+$", before))


def _antecedent(text: str, spans: Sequence[Span], i: int) -> tuple[int, str] | None:
    """The subject of the sentence before; of one further up where those between lean on it by the same pronoun."""
    pronoun = _LEANS.match(spans[i].of(text))
    if not pronoun:
        return None
    for k in range(i - 1, max(-1, i - 1 - _STEPS_BACK), -1):
        before = spans[k].of(text)
        if (again := _LEANS.match(before)) and again[0].lower() == pronoun[0].lower():
            continue
        subject = _SUBJECT.match(before)
        return (k, subject[1]) if subject else None
    return None
