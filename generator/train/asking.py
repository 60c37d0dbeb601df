"""Questions made from what documents say: from headings, from words of a sentence, from the form of a sentence."""

from __future__ import annotations

import random
import re

from domain.text import words
from generator.dataset import content_words

_VERBS = frozenset(
    words(
        "add adjust activate allow apply assign attach authenticate back build calculate cancel change check "
        "choose clear close combine compare configure connect control convert copy create customize debug "
        "define delete deploy disable display download edit enable enter execute export extend filter find "
        "fix format generate get group handle import improve insert install join launch link list load log "
        "manage migrate modify monitor move open organize play post prepare prevent print process publish "
        "query receive record register remove rename replace reset resize resolve restore restrict retrieve "
        "rotate run save schedule search secure select send set share show sign sort specify start stop "
        "submit switch sync synchronize test track transfer troubleshoot turn uninstall update upgrade upload "
        "use validate verify view work write"
    )
)
_HOW_TO = ("How do I {}?", "How can I {}?", "how to {}", "What do I have to do to {}?", "I want to {}", "Can I {}?")
_WHAT_IS = ("What is {}?", "What does {} mean?", "Tell me about {}", "{}?", "What about {}?", "Can you explain {}?")
_MODAL = r"can|may|must|will|should|cannot"
_BREAK = re.compile(r"(?:,| (?:if|when|by|unless|because|so that|which|before|after|and|or|but|until|within)\b).*")
_PRONOUNS = {"you": "I", "your": "my", "yourself": "myself", "yours": "mine", "we": "you", "our": "your", "us": "you"}
# fmt: off
_ORDERS = (
    "Click", "Select", "Use", "Enter", "Choose", "Open", "Press", "Add", "Create", "Set", "Install", "Run", "Check",
    "Type", "Specify", "Remove", "Send", "Write", "Call", "Bring", "Keep", "Contact", "Ask", "Pay", "Apply", "Complete",
    "Submit",
)
# fmt: on
_LOWERED = frozenset(("The", "A", "An", "Each", "Every", "All", "Most", "Some", *_ORDERS))
_BARE_SUBJECTS = frozenset(words("it this that these those they he she there what which who one i we you here such"))


def ask_about(heading: str, rng: random.Random) -> str:
    """A question for a heading: "Create a user" -> "How do I create a user?"."""
    heading = re.sub(r"^(\d+\.)+\d*\s*|^(Step \d+:|To|How to)\s+", "", heading).strip().rstrip("?.:")
    first, _, rest = heading.partition(" ")
    if first.lower() in _VERBS and rest:
        return rng.choice(_HOW_TO).format(f"{first.lower()} {rest}")
    if first.lower().endswith("ing") and rest and first.lower() not in ("string", "setting", "warning"):
        return rng.choice(("How does {} work?", "I need help {}", "What about {}?")).format(f"{first.lower()} {rest}")
    return rng.choice(_WHAT_IS).format(heading)


def keyword_question(sentence: str, rng: random.Random) -> str:
    """Three to six content words of a sentence, mostly in order, as a customer's search words; empty when too plain."""
    wanted = content_words(sentence)
    usable = [w.strip(".,;:()\"'") for w in sentence.split() if wanted & content_words(w)]
    if len(usable) < 4:
        return ""
    picked = sorted(rng.sample(range(len(usable)), min(len(usable), rng.randint(3, 6))))
    if rng.random() < 0.25:
        rng.shuffle(picked)
    asked = " ".join(usable[i] for i in picked)
    return rng.choice(("{}", "{}?", "What about {}?", "how does {}", "is {}")).format(asked)


def sentence_question(sentence: str, rng: random.Random) -> str:
    """A question that the sentence answers, by the sentence's form; empty when no form is known.

    "You can return a lamp within 30 days." -> "Can I return a lamp?"
    """
    told = sentence.rstrip(".! ")
    for pattern, forms in _SENTENCE_FORMS:
        found = pattern.match(told)
        if not found:
            continue
        parts = {name: _as_asked(part) for name, part in found.groupdict().items()}
        subject = parts.get("subject", "")
        if subject and (len(subject.split()) > 7 or set(subject.lower().split()) & _BARE_SUBJECTS):
            continue
        if "rest" in parts and rng.random() < 0.6:
            parts["rest"] = _BREAK.sub("", parts["rest"])
        asked = rng.choice(forms).format(**parts)
        if 3 <= len(asked.split()) <= 18 and content_words(asked):
            return asked[0].upper() + asked[1:]
    return ""


def _as_asked(part: str) -> str:
    """The document's words as the customer would say them: ``your`` becomes ``my``; an opening word is lowered."""
    told = [_PRONOUNS.get(word.lower(), word) for word in part.strip().rstrip(":").split()]
    if told and told[0] in _LOWERED:
        told[0] = told[0].lower()
    return " ".join(told)


_SUBJECT = r"(?P<subject>[A-Z][^,;:]{2,60}?)"
_SENTENCE_FORMS: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = tuple(
    (re.compile(pattern), forms)
    for pattern, forms in (
        (
            r"(?:In order t|T)o (?P<rest>[a-z][^,]{8,80}), .+",
            ("how do I {rest}?", "how can I {rest}?", "I want to {rest}", "what do I do to {rest}?"),
        ),
        (
            r"(?:If|When) (?P<rest>[^,]{10,90}), .+",
            ("what happens if {rest}?", "what if {rest}?", "what do I do when {rest}?", "{rest}, what now?"),
        ),
        (
            r"You (?:can|may) (?:also |only |then )?(?P<rest>(?!not)[a-z].{8,})",
            ("can I {rest}?", "is it possible to {rest}?", "how can I {rest}?", "am I allowed to {rest}?"),
        ),
        (
            r"You (?:must|need to|have to|should) (?:also |first |then )?(?P<rest>(?!not)[a-z].{8,})",
            ("do I have to {rest}?", "must I {rest}?", "should I {rest}?", "do I need to {rest}?"),
        ),
        (
            rf"{_SUBJECT} (?P<be>is|are|was|were) (?P<rest>(?:used|required|needed|available|created|located|stored|"
            r"sent|called|defined|based|made|included|supported|allowed|free|open|closed|installed|set|given)\b.*)",
            ("{be} {subject} {rest}?", "when {be} {subject} {rest}?", "how {be} {subject} {rest}?"),
        ),
        (
            rf"{_SUBJECT} (?P<be>is|are|was|were) (?:a|an|the|one|any)\b.+",
            ("what {be} {subject}?", "what {be} {subject}?", "can you explain {subject}?", "{subject}?"),
        ),
        (
            rf"{_SUBJECT} (?P<modal>{_MODAL}) (?P<rest>(?!not)[a-z].+)",
            ("{modal} {subject} {rest}?", "when {modal} {subject} {rest}?", "what about {subject}?"),
        ),
        (
            r"(?P<subject>(?:The|A|An|This) (?:[\w-]+ ){1,4}?[\w-]+) (?P<verb>allow|contain|provide|include|show|"
            r"return|display|enable|define|describe|create|support|use|require|give|take|mean|need|help|list|cause)"
            r"s\b.+",
            ("what does {subject} {verb}?", "what about {subject}?", "what does {subject} do?"),
        ),
        (
            rf"(?P<rest>(?:{'|'.join(_ORDERS)}) .{{8,}})",
            ("where do I {rest}?", "should I {rest}?", "when do I {rest}?", "how do I {rest}?"),
        ),
    )
)
