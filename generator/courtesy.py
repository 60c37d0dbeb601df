"""Fixed phrases: the only sentences that need no proof, because they claim nothing about the business.

``FixedPhrase`` is a type of its own so that nothing else can be said unproven: the turn's ``say`` takes no string.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

_MAX_NAMED_CHARS = 120
_GREETING = r"(?:hi|hello|hey|hiya|howdy|greetings|good (?:morning|afternoon|evening|day)|dear (?:team|support))"
_FILLER = r"(?: there| all| team| everyone| guys| again| dear)*"
_THANKS = (
    r"(?:(?:ok(?:ay)?|great|perfect|super|good|lovely|cool|alright|right|yes|no|"
    r"that(?:'s| is) (?:all|great|perfect)),? )?"
    r"(?:thanks?|thank you|thx|cheers|ta|many thanks|much appreciated)"
    r"(?: you| so much| very much| a lot| again| for (?:your|the) (?:help|reply|answer|time)| that(?:'s| is) all)*"
)
_HELPED = r"(?:that (?:really )?(?:helps|helped|was helpful|answers (?:it|my question)|is all i needed))"
_THANKS = rf"(?:{_THANKS}(?:,? {_HELPED})?|{_HELPED}(?:,? {_THANKS})?)"
_IDENTITY = (
    r"(?:am i (?:talking|speaking|chatting) (?:to|with) |are you )(?:really |actually |just )?"
    r"(?:an? )?(?:(?:real |live )?(?:robot|bot|chatbot|ai|machine|computer|program|human(?: being)?|person)"
    r"(?: or (?:an? )?(?:(?:real |live )?(?:robot|bot|chatbot|ai|machine|computer|human(?: being)?|person)))?)"
)
_GOODBYE = r"(?:bye|goodbye|bye bye|good night|see you|see ya|have a (?:nice|good|great) (?:day|evening|weekend|one))"
_PERSON = (
    r"(?:(?:real|live|actual|human) )?(?:person|human(?: being)?|agent|representative|rep|advisor|adviser|operator|"
    r"(?:support |service )?(?:staff|colleague|employee)|member of (?:staff|your team)|somebody|someone|manager|people)"
)
_HANDOFF = re.compile(
    rf"(?<!\bdo )(?<!n't want to )(?<!not want to )"
    rf"\b(?:talk|speak|chat|connect(?: me)?|transfer(?: me)?|put me through|pass me (?:on|over)|hand me over|get me|"
    rf"i (?:want|need|would like|'d like)|give me|escalate(?: this| me)?)\b(?: (?:to|with|on|directly|now))*"
    rf"(?: (?:a|an|the|some|your|another))? {_PERSON}\b(?! (?:else )?(?:who|to|that|for)\b)"
    rf"|^(?:a |an )?(?:real |live )?(?:human|agent|person|representative|operator)(?: please| now)*$",
    re.IGNORECASE,
)
_LEADING_GREETING = re.compile(rf"^{_GREETING}{_FILLER}\s*[,!.:;\-–\n]+\s*(?=\S)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FixedPhrase:
    """A sentence of ours without a claim. Made here only."""

    text: str


class Courtesy(Enum):
    GREETING = FixedPhrase("Hello! What would you like to know?")
    THANKS = FixedPhrase("You are welcome. Is there anything else you would like to know?")
    GOODBYE = FixedPhrase("Goodbye, and all the best.")
    IDENTITY = FixedPhrase("I am a program, not a person, and I answer from our documents.")
    HANDOFF = FixedPhrase("Of course, I am handing you over to a person.")
    REFUSAL = FixedPhrase("I could not find a reliable answer to this in our documents.")
    PRIVATE = FixedPhrase("I answer from our documents only and see no orders, accounts or personal data.")
    OPINION = FixedPhrase("I can only tell you what our documents say, so I have no opinion on this.")
    OFFER = FixedPhrase("If you like, I can hand you over to a person.")
    NO_KNOWLEDGE = FixedPhrase("I have no documents to answer from yet.")


def recognise(message: str) -> Courtesy | None:
    """The courtesy that the whole message is, or None when it holds a question. A wish for a person counts anywhere."""
    plain = " ".join(re.sub(r"[^\w\s',]", " ", message.replace("’", "'")).lower().replace(" ,", ",").split()).strip(
        ", "
    )
    if _HANDOFF.search(plain):
        return Courtesy.HANDOFF
    for pattern, courtesy in (
        (_THANKS, Courtesy.THANKS),
        (_GOODBYE, Courtesy.GOODBYE),
        (_GREETING, Courtesy.GREETING),
        (rf"(?:{_GREETING}{_FILLER},? )?{_IDENTITY}", Courtesy.IDENTITY),
    ):
        if re.fullmatch(rf"{pattern}{_FILLER}(?:,? {_GOODBYE})?(?: how are you(?: doing| today)*)?", plain):
            return courtesy
    return None


def without_greeting(message: str) -> str:
    """``Hi there, do you ...`` is ``do you ...``."""
    return _LEADING_GREETING.sub("", message.strip())


def not_found(question: str) -> FixedPhrase:
    """Names the part of a message that stays unanswered."""
    named = " ".join(question.split()).strip(" ?!.,;:").replace("[", "(").replace("]", ")")
    if len(named) > _MAX_NAMED_CHARS:
        named = named[:_MAX_NAMED_CHARS].rsplit(" ", 1)[0] + " …"
    return FixedPhrase(f"I could not find anything about “{named}” in our documents.")
