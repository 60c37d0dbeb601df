"""True sentences made false, one family of lies at a time, to fit and to measure the verifier.

A corruption changes as little as it can, so that the false sentence shares nearly every word with its evidence. Each
takes the sentence, the passage it is true of (the hardest lie borrows from there) and a source of chance, and returns
the false sentence or None where the sentence gives it no hold.

``HELD_OUT`` families are never fitted on and nothing was designed against them: they only measure.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from domain.text import sentences

Corruption = Callable[[str, str, random.Random], str | None]  # sentence, passage, chance

_MONTHS = (
    "January", "February", "March", "April", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_NUMBER = re.compile(r"(?<![\w.,:/-])\d+(?:[.,]\d+)*(?![\w:/-])")
_NUMBER_WORDS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve", "twenty", "thirty")
_NUMBER_WORD = re.compile(rf"\b(?:{'|'.join(_NUMBER_WORDS)})\b")
_DATE = re.compile(
    rf"\b(?:{'|'.join((*_MONTHS, *_DAYS))})s?\b|(?<![\d.,])(?:1[5-9]|20)\d\d(?![\d.,]\d|\d)|\b\d{{1,2}}:\d\d\b"
)
_CAPITALISED = re.compile(r"(?<=[a-z,] )(?:[A-Z][\w'’-]+)(?: (?:of |the )?[A-Z][\w'’-]+)*")
_AUXILIARY = re.compile(
    r"\b(is|are|was|were|can|could|will|would|should|must|may|might|does|do|did|has been|have been)\b"
    r"(?! not\b|n['’]t)(?= \w)"
)
_NEGATED = re.compile(
    r"\b(is|are|was|were|can|could|will|would|should|must|may|might|does|do|did|has|have) ?(?:not|n['’]t)\b"
)
_CANNOT = re.compile(r"\bcan(?:not|['’]t)\b")
_NO = re.compile(r"\b[Nn]o (?=[a-z]{3,})")
_CONDITION_FIRST = re.compile(r"^(If|When|Unless|After|Before|Until|While) ([^,;]{8,}), ([^,;]{8,})([.!])$")
_CONDITION_LAST = re.compile(r"^([^,;]{8,}?),? (if|when|unless|after|before|until|while) ([^,;]{8,})([.!])$")
_ANTONYMS = (
    "open closed", "free paid", "include exclude", "includes excludes", "included excluded", "enable disable",
    "enables disables", "enabled disabled", "allow forbid", "allows forbids", "allowed forbidden", "accept reject",
    "accepts rejects", "increase decrease", "increases decreases", "increased decreased", "public private",
    "high low", "higher lower", "large small", "larger smaller", "short long", "shorter longer", "early late",
    "earlier later", "first last", "start end", "starts ends", "add remove", "adds removes", "added removed",
    "new old", "same different", "valid invalid", "required optional", "available unavailable", "with without",
    "internal external", "on off", "left right", "top bottom", "upper lower", "success failure", "strong weak",
    "good bad", "easy difficult", "show hide", "shows hides", "local remote", "send receive", "sends receives",
    "buy sell", "arrive depart", "north south", "east west", "positive negative", "male female", "inside outside",
    "indoor outdoor", "common rare", "safe dangerous",
)  # fmt: skip
_SWAPS = {
    "modality": (
        "may must; can must; must may; should must; must should; may will; might will; will may; can will; "
        "could will; have to|may; has to|may; need to|may; cannot|need not; required|recommended; "
        "recommended|required"
    ),
    "quantifier": (
        "all some; some all; every some; each some; most all; many all; several all; few many; many few; only "
        "also; usually always; often always; sometimes always; always sometimes; any one|all; generally "
        "always; typically always; both one|either one; some no; all no"
    ),
    "comparative": (
        "at least|at most; at most|at least; more than|less than; less than|more than; up to|at least; over "
        "under; under over; above below; below above; maximum minimum; minimum maximum; fewer than|more than; "
        "greater than|less than; no more than|no less than; or more|or less"
    ),
    "direction": (
        "before after; after before; from to|to from; until after; since before; prior to|after; later "
        "earlier; earlier later; following preceding"
    ),
    "unit": (
        "days weeks; days hours; day week; hours minutes; hours days; hour day; minutes hours; minutes "
        "seconds; weeks days; weeks months; week month; months years; months weeks; month year; years months; "
        "year month; seconds minutes; second minute; km miles; miles kilometres; metres feet; feet metres; kg "
        "pounds; pounds kilograms; kilograms grams; MB GB; GB MB; KB MB; TB GB; megabytes gigabytes; bytes "
        "bits; kilometers meters; percent points; % percentage points; dollars euros; GBP EUR; USD EUR; cm "
        "mm; mm cm; inches cm; milliseconds seconds; meters feet; pixels points"
    ),
    "antonym": "; ".join((*_ANTONYMS, *(" ".join(reversed(pair.split())) for pair in _ANTONYMS))),
}  # fmt: skip


def changed_number(sentence: str, passage: str, rng: random.Random) -> str | None:
    """Another number in one place: another of the passage's in half of the cases, else one near by."""
    words = list(_NUMBER_WORD.finditer(sentence))
    if words and (rng.random() < 0.5 or not _NUMBER.search(sentence)):
        match = rng.choice(words)
        return _replaced(sentence, match, rng.choice([w for w in _NUMBER_WORDS if w != match.group()]))
    found = [m for m in _NUMBER.finditer(sentence) if not _DATE.fullmatch(m.group())]
    if not found:
        return None
    match = rng.choice(found)
    number = match.group()
    others = [n for n in _NUMBER.findall(passage) if _value(n) != _value(number)]
    if others and rng.random() < 0.5:
        return _replaced(sentence, match, rng.choice(others))
    at = rng.randrange(len(number))
    while not number[at].isdigit():
        at = rng.randrange(len(number))
    digit = rng.choice([d for d in "123456789" if d != number[at]])
    return _replaced(sentence, match, number[:at] + digit + number[at + 1 :])


def changed_date(sentence: str, passage: str, rng: random.Random) -> str | None:
    """Another month, weekday, year or time of day."""
    found = list(_DATE.finditer(sentence))
    if not found:
        return None
    match = rng.choice(found)
    old = match.group()
    others = [
        d
        for d in _DATE.findall(passage)
        if d != old and d[:1].isdigit() == old[:1].isdigit() and (":" in d) == (":" in old)
    ]
    if others and rng.random() < 0.5:
        return _replaced(sentence, match, rng.choice(others))
    if ":" in old:
        hour, minute = old.split(":")
        return _replaced(sentence, match, f"{(int(hour) + rng.randint(1, 9)) % 24}:{minute}")
    if old.isdigit():
        return _replaced(sentence, match, str(int(old) + rng.choice((-10, -3, -1, 1, 2, 10))))
    pool = _DAYS if old.rstrip("s") in _DAYS else _MONTHS
    plural = "s" if old.endswith("s") and old not in pool else ""
    return _replaced(sentence, match, rng.choice([p for p in pool if p != old.rstrip("s")]) + plural)


def changed_name(sentence: str, passage: str, rng: random.Random) -> str | None:
    """Another name in one place, of the same passage where it has one."""
    found = [m for m in _CAPITALISED.finditer(sentence) if not _DATE.search(m.group())]
    if not found:
        return None
    match = rng.choice(found)
    old = match.group()
    others = {
        n for n in _CAPITALISED.findall(passage) if not _holds(n, old) and not _holds(old, n) and not _DATE.search(n)
    }
    if not _holds(passage, old):
        others = set()  # a name that people misspelt would only be put right
    invented = ("Marwick", "Tolsby", "Ferrand", "Quillon", "Aster Vale", "Bexor", "Northgate", "Ulmen")
    pool = sorted(others) if others and rng.random() < 0.6 else list(invented)
    return _replaced(sentence, match, rng.choice(pool))


def _holds(name: str, other: str) -> bool:
    """``GRAFFITI`` and ``Graffiti's`` are no other names than ``Graffiti``."""
    return re.sub(r"['’]s$", "", other).casefold() in name.casefold()


def negated(sentence: str, _passage: str, _rng: random.Random) -> str | None:
    """A negation put in or taken out."""
    for pattern, positive in ((_NEGATED, r"\1"), (_CANNOT, "can"), (_NO, "")):
        if pattern.search(sentence):
            return pattern.sub(positive, sentence, count=1)
    found = list(_AUXILIARY.finditer(sentence))
    if not found:
        return None
    match = found[0]
    return _replaced(sentence, match, "cannot" if match.group() == "can" else f"{match.group()} not")


def swapped_condition(sentence: str, _passage: str, _rng: random.Random) -> str | None:
    """``If A, B`` becomes ``If B, A``, and ``B if A`` becomes ``A if B``."""
    if match := _CONDITION_FIRST.match(sentence):
        marker, condition, main, end = match.groups()
        return f"{marker} {_lowered(main)}, {condition}{end}"
    if match := _CONDITION_LAST.match(sentence):
        main, marker, condition, end = match.groups()
        return f"{condition[:1].upper()}{condition[1:]} {marker} {_lowered(main)}{end}"
    return None


def dropped_condition(sentence: str, _passage: str, _rng: random.Random) -> str | None:
    if (match := _CONDITION_FIRST.match(sentence)) and match[1] in ("If", "When", "Unless"):
        return f"{match[3][:1].upper()}{match[3][1:]}{match[4]}"
    if (match := _CONDITION_LAST.match(sentence)) and match[2] in ("if", "when", "unless"):
        return f"{match[1]}{match[4]}"
    return None


def merged_facts(sentence: str, passage: str, rng: random.Random) -> str | None:
    """The first half of the sentence with the last half of another of the passage, cut at the same kind of word."""
    joints = r"\b(is|are|was|were|can|will|must|may|has|have|for|in|within|by|to|from|with|of)\b"
    mine = [m for m in re.finditer(joints, sentence) if 12 <= m.start() <= len(sentence) - 12]
    rng.shuffle(mine)
    words = set(sentence.lower().split())
    others = [s for s in sentences(passage) if len(words & set(s.lower().split())) < 0.4 * len(words)]
    rng.shuffle(others)
    for other in others:
        for match in mine:
            theirs = [
                m
                for m in re.finditer(joints, other)
                if m.group() == match.group() and 12 <= m.start() <= len(other) - 12
            ]
            if theirs:
                return sentence[: match.start()] + other[rng.choice(theirs).start() :]
    return None


def swapped_roles(sentence: str, _passage: str, rng: random.Random) -> str | None:
    """Two names, or two things with an article, exchange their places."""
    found = list(_CAPITALISED.finditer(sentence))
    if len(found) < 2:
        found = list(re.finditer(r"\b(?:[Tt]he|[Aa]n?|[Yy]our) [a-z]{4,}(?= (?!of\b))", sentence))
    pairs = [(a, b) for a in found for b in found if a.end() + 6 < b.start() and a.group().lower() != b.group().lower()]
    pairs = [(a, b) for a, b in pairs if not re.search(r"\b(?:and|or|,)\b", sentence[a.end() : b.start()])]
    if not pairs:
        return None
    a, b = rng.choice(pairs)
    one, two = b.group(), a.group()
    if a.start() == 0:
        one, two = one[:1].upper() + one[1:], two[:1].lower() + two[1:]
    return sentence[: a.start()] + one + sentence[a.end() : b.start()] + two + sentence[b.end() :]


def asked(sentence: str, _passage: str, _rng: random.Random) -> str | None:
    """A claim told as a question; nothing is proven by asking."""
    return sentence.rstrip(".!") + "?" if sentence[-1:] in ".!" else None


def _swapping(family: str) -> Corruption:
    pairs = [tuple(pair.split("|")) if "|" in pair else tuple(pair.split()) for pair in _SWAPS[family].split("; ")]

    def corrupt(sentence: str, _passage: str, rng: random.Random) -> str | None:
        hits = [
            (m, new)
            for old, new in (p for p in pairs if len(p) == 2)
            for m in re.finditer(rf"(?<![\w-]){re.escape(old)}(?![\w-])", sentence)
        ]
        if family == "unit":
            hits = [
                (m, new)
                for m, new in hits
                if re.search(
                    rf"(?:\d|\b(?:a|an|one|{'|'.join(_NUMBER_WORDS)}))[ -]?(?:working |business )?$",
                    sentence[: m.start()],
                )
            ]
        return _replaced(sentence, *rng.choice(hits)) if hits else None

    return corrupt


FITTED: dict[str, Corruption] = {
    "number": changed_number,
    "date": changed_date,
    "name": changed_name,
    "negation": negated,
    "swapped condition": swapped_condition,
    "merged facts": merged_facts,
    "dropped condition": dropped_condition,
    "modality": _swapping("modality"),
    "quantifier": _swapping("quantifier"),
    "comparative": _swapping("comparative"),
    "direction": _swapping("direction"),
    "antonym": _swapping("antonym"),
    "question": asked,
}
HELD_OUT: dict[str, Corruption] = {"unit": _swapping("unit"), "swapped roles": swapped_roles}


def corruptions(
    sentence: str, passage: str, rng: random.Random, families: dict[str, Corruption]
) -> list[tuple[str, str]]:
    """One lie of every family that finds a hold, as (family, false sentence)."""
    made = [(name, corrupt(sentence, passage, rng)) for name, corrupt in families.items()]
    stated = " ".join(passage.split()).lower()
    return [(name, false) for name, false in made if false and false != sentence and _bare(false) not in stated]


def _bare(sentence: str) -> str:
    """Without what may lead and end it, to see whether the passage says it after all."""
    return re.sub(r"^(?:yes|no|sorry)[,.] ", "", " ".join(sentence.split()).lower()).rstrip(".!")


def _replaced(sentence: str, match: re.Match[str], new: str) -> str:
    return sentence[: match.start()] + new + sentence[match.end() :]


def _lowered(clause: str) -> str:
    return clause if clause[:2].isupper() or clause.startswith("I ") else clause[:1].lower() + clause[1:]


def _value(number: str) -> str:
    return number.replace(",", "").strip("0").strip(".")
