"""A sentence as terms: what it names, its hard facts, and the operators between them, each in its segment and scope.

``Terms`` are what two wordings of one claim share once inflection, synonyms and function words are taken off. A segment
is a stretch between commas and joints; a scope is the condition that a term stands under.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise

from generator.operators import Entry, Kind, able, is_form_of_operator, operators, phrase_key
from generator.tokens import Token, stem, tokens
from generator.voice import Voice, is_perfect, voice_of

_MAX_PHRASE = 4
_RANGE_CHARS = 30
_BREAK = re.compile(r"[,;:()\[\]—]|\s[-–]\s|[.!?](?=\s)")
# fmt: off
_MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
           "december")
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SHORT_DATES = {name[:3]: name for name in (*_MONTHS, *_DAYS)}
_SHORT_DATES |= {"sept": "september", "tues": "tuesday", "thur": "thursday", "thurs": "thursday"}
# One unit a group, the first word stands for all.
_UNITS = (
    "day days; workday; night nights; week weeks wk wks; month months; year years yr yrs; hour hours hr hrs h; "
    "minute minutes min mins; second seconds sec secs; km kilometre kilometres kilometer kilometers; mile miles; "
    "kg kilogram kilograms kilo kilos kgs; gram grams g; pound pounds lb lbs; cm centimetre centimetres "
    "centimeter centimeters; mm millimetre millimetres millimeter millimeters; metre metres meter meters m; foot "
    "feet ft; inch inches; litre litres liter liters l; ml millilitre millilitres; gbp; byte bytes; kb kilobyte "
    "kilobytes; mb megabyte megabytes; gb gigabyte gigabytes; tb terabyte terabytes; pixel pixels px; point "
    "points pt; watt watts w; volt volts v; millisecond milliseconds ms; degree degrees; bit bits; decade "
    "decades; century centuries; cent cents; million; billion; times"
)
# fmt: on
_UNIT_OF = {word: group.split()[0] for group in _UNITS.split("; ") for word in group.split()}
_RUN_ON = re.compile(r" [A-Z][a-z]")
_PRONOUN_BEFORE_ONE = frozenset(
    ("new", "this", "that", "which", "old", "another", "same", "no", "any", "each", "every")
)
_AFTER_ONE = frozenset(
    ("of", "is", "from", "for", "that", "in", "", "with", "to", "if", "at", "and", "or", "can", "may")
)
_MAY_NAME = (Kind.JOINT, Kind.QUANTIFIER)  # the Plus plan, the Next button
_POSSESSIVE = frozenset(("our", "your", "their", "its", "his", "her", "my", "this", "these"))
_CLOCK = re.compile(r"(\d{1,2})(?:[:.](\d\d))?(am|pm)?")


@dataclass(frozen=True, slots=True)
class Term:
    """``key`` compares; ``segment`` counts the stretches of the sentence; ``joint`` is what opens this one.

    ``lead`` is the word right before the term, articles and possessives left out: the preposition, where it has one.
    """

    kind: Kind
    key: str
    raw: str
    start: int
    end: int
    segment: int = 0
    scope: str = ""
    is_linked: bool = False
    joint: str = ""
    unit: str = ""
    voice: Voice = Voice.UNKNOWN
    lead: str = ""

    @property
    def is_light(self) -> bool:
        return self.kind is Kind.CONTENT and self.key in lexicon().light


@dataclass(frozen=True, slots=True)
class Lexicon:
    same: dict[tuple[str, ...], str]
    light: frozenset[str]
    implied: dict[str, frozenset[str]]


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """Our synonyms, by stems: the first of a group stands for all."""
    held = json.loads(files("generator").joinpath("models/verifier/synonyms.json").read_text(encoding="utf-8"))
    same: dict[tuple[str, ...], str] = {}
    for group in held["same"]:
        phrases = [phrase_key(phrase) for phrase in group.split(", ")]
        for phrase in phrases:
            if phrase:
                same.setdefault(phrase, " ".join(same.get(phrases[0], "").split() or phrases[0]))
    light = {phrase_key(word) for word in held["light"].split(", ")}
    implied = {
        same.get(phrase_key(word), word): frozenset(same.get(phrase_key(w), w) for w in by.split(", "))
        for word, by in held["implied"].items()
    }
    return Lexicon(same, frozenset(same.get(key, " ".join(key)) for key in light if key), implied)


@lru_cache(maxsize=4096)
def terms(sentence: str) -> tuple[Term, ...]:
    """Every term of one sentence in order, function words left out."""
    found = tokens(sentence)
    shouted = sum(t.raw[:1].isupper() for t in found) > 0.6 * len(found)
    read: list[Term] = []
    i = 0
    while i < len(found):
        lead = _lead(found, i)
        made, i = _fact(sentence, found, i) or _phrase(sentence, found, i, shouted)
        read.extend(replace(term, lead=lead) for term in made)
    return tuple(_in_segments(sentence, _with_shared_units(_bounding(read))))


def _lead(found: list[Token], i: int) -> str:
    before = [token.raw.lower() for token in found[max(0, i - 3) : i] if token.raw.lower() not in _POSSESSIVE]
    return before[-1] if before else ""


def _fact(sentence: str, found: list[Token], i: int) -> tuple[list[Term], int] | None:
    """The date, time of day, quantity or code at token ``i``, and where to go on; None where there is none."""
    if made := _date(found, i):
        return [made], i + 1
    if not any(c.isdigit() for c in found[i].key) or _is_fixed_phrase(found, i):
        return None
    after = found[i + 1].raw.lower() if i + 1 < len(found) else ""
    if made := _time_of_day(found[i], after):
        return [made], i + 1 + (after in ("am", "pm"))
    before = found[i - 1].raw.lower() if i else "new"
    is_bounded = after == "or" and found[i + 2 : i + 3] and found[i + 2].raw.lower() in ("more", "less", "fewer")
    if found[i].raw.lower() == "one" and not is_bounded and (before in _PRONOUN_BEFORE_ONE or after in _AFTER_ONE):
        return [], i + 1
    return _quantity(sentence, found, i)


def _date(found: list[Token], i: int) -> Term | None:
    token = found[i]
    word = token.raw.lower()
    word = word.rstrip("s") if word.rstrip("s") in _DAYS else word
    if not token.raw[:1].isupper() or not (word in _MONTHS or word in _DAYS or word in _SHORT_DATES):
        return None
    is_beside_number = any(t.is_number for t in found[max(0, i - 1) : i + 2])
    if word == "may" and not is_beside_number:
        return None
    return Term(Kind.FACT, _SHORT_DATES.get(word, word), token.raw, token.start, token.end)


def _is_fixed_phrase(found: list[Token], i: int) -> bool:
    """``24 hours a day`` is no number of hours."""
    keys = [token.key for token in found[i : i + _MAX_PHRASE]]
    return any(tuple(keys[:size]) in lexicon().same for size in range(2, len(keys) + 1))


def is_unit(word: str) -> bool:
    return word.lower() in _UNIT_OF


def is_date(key: str) -> bool:
    return key in _MONTHS or key in _DAYS


def _time_of_day(token: Token, after: str) -> Term | None:
    """``5pm``, ``5 pm`` and ``17:00`` are one time."""
    clock = _CLOCK.fullmatch(token.raw.lower())
    half = (clock[3] or (after if after in ("am", "pm") else "")) if clock else ""
    if not clock or not (clock[2] or half):
        return None
    hour = int(clock[1]) % 12 + 12 * (half == "pm") if half else int(clock[1])
    return Term(Kind.FACT, f"t{hour}:{clock[2] or '00'}", token.raw, token.start, token.end)


def _quantity(sentence: str, found: list[Token], i: int) -> tuple[list[Term], int]:
    """A number with the unit right behind it; a working day is another unit than a day, and money has its own."""
    token, at = found[i], i + 1
    is_working = at + 1 < len(found) and found[at].raw.lower() in ("working", "business")
    at += is_working
    unit = ""
    if token.is_number and token.key[-1].isdigit() and at < len(found) and _near(sentence, found[at - 1], found[at]):
        unit = _UNIT_OF.get(found[at].raw.lower(), "")
    if not unit:
        return [Term(Kind.FACT, token.key, token.raw, token.start, token.end)], i + 1
    unit = f"work{unit}" if is_working else unit
    return [Term(Kind.FACT, token.key, token.raw, token.start, found[at].end, unit=unit)], at + 1


def _near(sentence: str, a: Token, b: Token) -> bool:
    return b.start - a.end <= 2 and not _BREAK.search(sentence, a.end, b.start)


def _phrase(sentence: str, found: list[Token], i: int, shouted: bool) -> tuple[list[Term], int]:
    table, same = operators(), lexicon().same
    if is_perfect(found, i):
        return [], i + 1
    for size in range(min(_MAX_PHRASE, len(found) - i), 0, -1):
        run = found[i : i + size]
        key = tuple(t.key for t in run)
        if size > 1 and any(_BREAK.search(sentence, a.end, b.start) for a, b in pairwise(run)):
            continue
        entry: Entry | None = table.get(key) if is_form_of_operator(run) else None
        if entry is None and key in same:
            entry = ((Kind.FACT if size == 1 and _is_name(sentence, run[0], shouted) else Kind.CONTENT, same[key]),)
        if entry is not None and not (size == 1 and entry[0][0] in _MAY_NAME and _is_name(sentence, run[0], shouted)):
            made = [
                Term(kind, name, run[0].raw, run[0].start, run[-1].end, voice=voice_of(found, i))
                for kind, name in entry
                if kind is not Kind.EMPTY
            ]
            return made, i + size
    token = found[i]
    if token.raw.lower() == "off" and i and found[i - 1].key.endswith("%"):
        return [Term(Kind.CONTENT, same[("discount",)], "discount", token.start, token.end)], i + 1
    if verb := able(token.raw):
        deed = same.get((stem(verb),), stem(verb))
        permit = Term(Kind.MODAL, "permit", token.raw, token.start, token.end)
        return [permit, replace(permit, kind=Kind.CONTENT, key=deed, raw=verb)], i + 1
    kind = Kind.FACT if _is_name(sentence, token, shouted) else Kind.CONTENT
    return [Term(kind, token.key, token.raw, token.start, token.end, voice=voice_of(found, i))], i + 1


def _is_name(sentence: str, token: Token, shouted: bool) -> bool:
    if shouted or not token.raw[:1].isupper() or token.raw == "I":
        return not shouted and any(c.isupper() for c in token.raw[1:])
    before = sentence[: token.start].rstrip("\"'“‘( -*•|")
    if not before and _RUN_ON.match(sentence, token.end):
        return True  # "Tandoori Palace": the next word shows that the first is a name as well
    return (bool(before) and before[-1] not in ".!?:") or any(c.isupper() for c in token.raw[1:])


def _with_shared_units(read: list[Term]) -> list[Term]:
    """``3 to 5 days``: the three are days as well."""
    for i in range(len(read) - 2, -1, -1):
        term, after = read[i], read[i + 1]
        if after.kind is Kind.JOINT and i + 2 < len(read):
            after = read[i + 2]
        if term.key.startswith("#") and not term.unit and after.unit and after.start - term.end <= 6:
            read[i] = replace(term, unit=after.unit)
    return read


def _bounding(read: list[Term]) -> list[Term]:
    """``over`` and ``under`` bound a number; elsewhere they are places. ``At least half`` needs none to be a bound."""
    kept: list[Term] = []
    for i, term in enumerate(read):
        near = (*read[i + 1 : i + 3], *read[max(0, i - 1) : i])
        is_phrase = term.end - term.start > len(term.raw)
        if (
            term.kind is not Kind.BOUND
            or is_phrase
            or any(t.kind is Kind.FACT and any(c.isdigit() for c in t.key) for t in near)
        ):
            kept.append(term)
        elif term.raw.lower() not in ("about", "around"):
            kept.append(replace(term, kind=Kind.CONTENT, key=term.raw.lower()))
    return kept


def _in_segments(sentence: str, read: list[Term]) -> list[Term]:
    placed: list[Term] = []
    segment, scope, end, is_linked, joint = 0, "", 0, False, ""
    for term in read:
        is_broken = bool(_BREAK.search(sentence, end, term.start))
        if term.key == "range":
            continue
        in_range = (
            term.kind is Kind.JOINT and "between" in sentence[max(0, term.start - _RANGE_CHARS) : term.start].lower()
        )
        if is_broken:
            scope = ""
        if placed and (is_broken or term.kind is Kind.CONDITION or (term.kind is Kind.JOINT and not in_range)):
            segment += 1
            is_linked = not is_broken and term.kind is Kind.JOINT
            joint = sentence[term.start : term.end].lower() if term.kind is Kind.JOINT else ""
        if term.kind is Kind.CONDITION:
            scope = term.key
        end = term.end
        if term.kind is not Kind.JOINT:
            placed.append(replace(term, segment=segment, scope=scope, is_linked=is_linked, joint=joint))
    return placed
