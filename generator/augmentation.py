"""One question in the words of another customer: other forms, other words, slips of the finger.

Questions made from headings and taken from data sets are tidier than what people type, and always use the document's
own words. A model that saw only those would look for the same word and nothing else.
"""

from __future__ import annotations

import random
import re

from domain.text import words

STOPWORDS = frozenset(
    words(
        "a an and any are as at be been but by can could did do does for from had has have how i if in into is it its "
        "me my of on or our should so that the their them there these they this to was we were what when where which "
        "who why will with would you your about more than then also not no yes please tell"
    )
)
# Each form with others that ask the same; {} is what follows.
_FORMS: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), forms)
    for pattern, forms in (
        (
            r"^how (?:do|can|could|should) (?:i|you|we) (.+)",
            (
                *("what do I have to do to {}?", "is there a way to {}?", "I would like to {}", "I need to {}, how?"),
                *("what are the steps to {}?", "can you help me {}?", "not sure how to {}", "how does one {}?"),
            ),
        ),
        (
            r"^what (?:is|are|'s) (?:the |an |a )?(.+)",
            ("tell me about {}", "explain {}", "I want to know about {}", "info on {}", "what do you mean by {}?"),
        ),
        (
            r"^can (?:i|you|we) (.+)",
            ("am I allowed to {}?", "is it possible to {}?", "may I {}?", "could I {}?", "do you let me {}?"),
        ),
        (r"^do i (?:have|need) to (.+)", ("must I {}?", "is it necessary to {}?", "am I required to {}?")),
        (r"^what happens (?:if|when) (.+)", ("what if {}?", "what do you do if {}?", "{}, what now?")),
        (r"^(?:are there|is there|do you have|do you offer) (?:any |an |a )?(.+)", ("{} available?", "got any {}?")),
        (r"^what (?:causes|leads to) (.+)", ("where does {} come from?", "reasons for {}", "why do people get {}?")),
        (r"^how to (.+)", ("how do I {}?", "what is the way to {}?", "I want to {}")),
    )
)
_SYNONYMS: dict[str, tuple[str, ...]] = {}
for _group in (
    "buy purchase order",
    "get receive obtain",
    "fix repair mend",
    "change modify alter",
    "remove delete erase",
    "begin start",
    "help assist support",
    "need require",
    "cost price fee",
    "show display view",
    "choose select pick",
    "large big",
    "quick fast",
    "car vehicle",
    "allowed permitted",
    "stop end finish",
    "problem issue trouble",
    "doctor physician",
    "illness disease condition",
    "cause reason",
    "send post ship",
    "make create build",
    "use utilise employ",
    "find locate",
    "add insert include",
    "set configure",
    "close shut",
    "open launch",
    "several many",
    "error fault failure",
    "picture image photo",
    "folder directory",
    "license licence permit",
    "pay settle",
    "signs symptoms",
    "treatment therapy",
    "child kid",
    "job work employment",
    "near close",
    "hotel guesthouse",
    "application app program",
    "student pupil",
    "school college",
    "money funds",
    "copy duplicate",
    "check verify",
    "connect link",
    "payment instalment",
    "deadline limit",
    "kind type sort",
    "happen occur",
    "risk danger",
):
    _words = tuple(_group.split())
    for _word in _words:
        _SYNONYMS[_word] = tuple(other for other in _words if other != _word)
_REWORDED = 0.3  # share of the questions whose form changes where a form is known
_SYNONYM = 0.25  # share of the words that change where a synonym is known


def vary_question(question: str, rng: random.Random) -> str:
    """The same question as a hurried customer might type it: reworded, lower case, no question mark, a slip."""
    text = reword(question.strip(), rng)
    if rng.random() < 0.1 and len(text.split()) < 20:
        kept = [word for word in text.rstrip("?.! ").split() if word.lower().strip(",;:'\"") not in STOPWORDS]
        text = " ".join(kept) if len(kept) >= 2 else text
    if rng.random() < 0.4:
        text = text.rstrip("?. ")
    if rng.random() < 0.4:
        text = text.lower()
    if rng.random() < 0.12:
        text = _slip(text, rng)
    if rng.random() < 0.05:
        text = rng.choice(("hi, ", "Hello, ", "please tell me: ", "quick question: ", "Hi! ")) + text
    return text


def reword(question: str, rng: random.Random) -> str:
    """Sometimes another form of the question, sometimes another word for a word; often the question as it is."""
    if rng.random() < _REWORDED:
        for pattern, forms in _FORMS:
            found = pattern.match(question)
            if found:
                question = rng.choice(forms).format(found[1].rstrip("?. "))
                break
    tokens = question.split(" ")
    for i, token in enumerate(tokens):
        others = _SYNONYMS.get(token)
        if others and rng.random() < _SYNONYM:
            tokens[i] = rng.choice(others)
    return " ".join(tokens)


def _slip(text: str, rng: random.Random) -> str:
    tokens = text.split(" ")
    long_words = [i for i, token in enumerate(tokens) if len(token) > 4 and token.isalpha()]
    if not long_words:
        return text
    i = rng.choice(long_words)
    at = rng.randrange(1, len(tokens[i]) - 1)
    word = tokens[i]
    swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    tokens[i] = rng.choice((swapped, word[:at] + word[at + 1 :], word[:at] + word[at] + word[at:]))
    return " ".join(tokens)
