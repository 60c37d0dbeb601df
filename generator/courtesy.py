"""Messages that ask nothing of the documents: greetings, thanks, goodbyes, and the wish for a person.

``generator.phrases`` has what is said to them.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from domain.language import ENGLISH
from generator.phrases import Courtesy

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
_LEADING_GREETING = re.compile(
    rf"^(?:{_GREETING}{_FILLER}|[¡]?hola|buen[oa]s (?:d[ií]as|tardes|noches)|bonjour|bonsoir|salut|hallo|"
    rf"guten (?:tag|morgen|abend)|مرحب[اً]+|السلام عليكم|你好|您好|こんにちは|こんばんは)"
    rf"\s*[,!.:;\-–\n，。！、،]+\s*(?=\S)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Recognised:
    """``language`` is what the words belong to: "gracias" is too short to be told by ``domain.language``."""

    courtesy: Courtesy
    language: str


@dataclass(frozen=True, slots=True)
class _Words:
    """Patterns over folded text, each of the whole message but ``handoff``, which counts anywhere in it."""

    greeting: str
    thanks: str
    goodbye: str
    handoff: str


# "(?<!no )": the customer who does not want a person is left alone.
_OTHER_LANGUAGES = {
    "zh": _Words(
        r"(?:你好|您好|嗨|哈喽|哈囉|早上好|上午好|下午好|晚上好|大家好|在吗|在嗎)[啊呀]?",
        r"(?:好的|好|嗯|明白了|知道了|可以)?,? ?(?:非常|太|十分)?(?:谢谢|謝謝|多谢|多謝|感谢|感謝)"
        r"(?:你们?|您|你們|啦|了|你的帮助|您的帮助|你的回答|您的回答)?",
        r"再见|再見|拜拜|回见",
        r"(?<!不)(?<!不要)(?<!不想)(?:转|轉|找|要|接)(?:接|到)?(?:人工|真人)|人工(?:客服|服务|服務)|^人工$|"
        r"(?:和|跟|与|與|找)(?:一个|一位|一個)?(?:真人|人工|客服|工作人员|工作人員|人)(?:说话|聊|谈|交谈|通话|說話|談)",
    ),
    "es": _Words(
        r"hola(?: buen[oa]s(?: dias| tardes| noches)?)?|buenas|buenos dias|buenas (?:tardes|noches)|saludos",
        r"(?:(?:vale|ok|perfecto|genial|bien|listo|entendido),? )?(?:muchas |muchisimas |mil )?gracias"
        r"(?: por (?:su|tu|la|vuestra) (?:ayuda|respuesta))?|muy amable",
        r"adios|hasta (?:luego|pronto|manana|la vista)|chao|nos vemos|que tenga (?:un )?buen dia",
        r"(?<!no quiero )\b(?:hablar|hablo|chatear|comunicar\w*|contactar|conect\w+|pas[aeo]\w*|transfer\w+)\b"
        r"(?: directamente)?(?: con| a)?(?: una?| algun| alguna| un)? ?"
        r"(?:persona|humano|agente|operador\w*|asesor\w*|representante|empleado|alguien)\b",
    ),
    "fr": _Words(
        r"bonjour|bonsoir|salut|coucou",
        r"(?:(?:ok|parfait|super|d'accord|tres bien|bien),? )?(?:un grand |mille )?merci"
        r"(?: beaucoup| bien| infiniment| pour (?:votre|ton|l') ?(?:aide|reponse))*|je vous remercie",
        r"au revoir|a bientot|bonne (?:journee|soiree|nuit)|adieu",
        r"(?<!ne veux pas )\b(?:parler|parle|discuter|contacter|transfer\w+|pass\w+|mettre en relation)\b"
        r"(?: moi| directement)?(?: a| avec)?(?: une?| l')? ?(?:vraie? )?"
        r"(?:personne|humain|etre humain|conseill\w+|agent|operat\w+|quelqu'un)\b",
    ),
    "de": _Words(
        r"hallo|guten (?:tag|morgen|abend)|moin(?: moin)?|servus|gru(?:ss|e)(?: gott| dich)?",
        r"(?:(?:ok|okay|super|prima|perfekt|gut|alles klar|toll),? )?(?:vielen |besten |herzlichen |lieben )?dank(?:e)?"
        r"(?: schon| sehr| vielmals| dir| ihnen| fur (?:ihre|die|deine) (?:hilfe|antwort|auskunft))*|dankeschon",
        r"tschuss|tschau|auf wiedersehen|bis bald|schonen (?:tag|abend)(?: noch)?",
        r"\b(?:menschen?|person|mitarbeiter\w*|berater\w*|kollegen|jemande[mn])\b(?: bitte)? (?:sprechen|reden|chatten)"
        r"|\b(?:verbinden?|weiterleiten|sprechen|reden)\b(?: sie)?(?: mich)?(?: bitte)? (?:mit|an) "
        r"(?:einer?m?n?|der|dem) ?(?:echten )?(?:menschen?|person|mitarbeiter\w*|berater\w*)\b",
    ),
    "ar": _Words(
        r"مرحبا(?: بكم| بك)?|اهلا(?: وسهلا)?|هلا|السلام عليكم(?: ورحمة الله(?: وبركاته)?)?|صباح الخير|مساء الخير",
        r"(?:حسنا |ممتاز |تمام )?(?:شكرا|اشكرك|اشكركم|مشكور\w*)"
        r"(?: جزيلا| لك| لكم| كثيرا| على (?:المساعدة|مساعدتكم|الرد))*",
        r"مع السلامة|وداعا|الى اللقاء|باي",
        r"(?<!لا )(?<!لا اريد )(?:التحدث|اتحدث|اتكلم|التكلم|اكلم|التواصل|تحويلي|حولني|حولوني|الكلام)"
        r"(?: مباشرة)? (?:مع|الى|ل)? ?(?:احد )?(?:ال)?(?:شخص|موظف|انسان|بشر|ممثل|مندوب)\w*",
    ),
    "ja": _Words(
        r"こんにちは|こんにちわ|こんばんは|おはよう(?:ございます)?|はじめまして|もしもし|やあ",
        r"(?:はい|わかりました|了解です|なるほど)?,? ?(?:どうも)?(?:ありがとう|有難う|ありがと)"
        r"(?:ございます|ございました)?|どうも|助かりました|感謝します",
        r"さようなら|さよなら|バイバイ|またね|失礼します",
        r"(?:人間|担当者|オペレーター|スタッフ|係の人|係の方|有人)(?:の方|の人)?(?:と|に|へ)?(?:直接)?"
        r"(?:話し|話が|話を|話す|つない|つなげ|繋い|繋げ|代わって|かわって|お願い|相談)|^オペレーター$|有人対応",
    ),
}


def _fold(text: str) -> str:
    """Lower case without accents, vowel signs and voicing marks, which are typed at will."""
    decomposed = unicodedata.normalize("NFKD", text.replace("’", "'").lower().replace("ß", "ss"))
    return "".join(character for character in decomposed if unicodedata.category(character) != "Mn")


def _compiled(words: _Words) -> tuple[re.Pattern[str], tuple[tuple[re.Pattern[str], Courtesy], ...]]:
    """The wish for a person, and the rest: each may follow a greeting and be followed by a goodbye."""
    whole = (
        (words.thanks, Courtesy.THANKS),
        (words.goodbye, Courtesy.GOODBYE),
        (words.greeting, Courtesy.GREETING),
    )
    before, after = rf"(?:(?:{words.greeting}),? ?)?", rf"(?:,? ?(?:{words.goodbye}))?"
    patterns = tuple((re.compile(_fold_pattern(f"{before}(?:{one}){after}")), courtesy) for one, courtesy in whole)
    return re.compile(_fold_pattern(words.handoff)), patterns


def _fold_pattern(pattern: str) -> str:
    """As ``_fold``, sparing the letters after a backslash."""
    return "".join(part if part.startswith("\\") else _fold(part) for part in re.split(r"(\\.)", pattern))


_COMPILED = {language: _compiled(words) for language, words in _OTHER_LANGUAGES.items()}


def recognise(message: str) -> Recognised | None:
    """The courtesy that the whole message is, or None when it holds a question. A wish for a person counts anywhere."""
    courtesy = _in_english(message)
    if courtesy is not None:
        return Recognised(courtesy, ENGLISH)
    plain = _plain(_fold(message))
    for language, (handoff, patterns) in _COMPILED.items():
        if handoff.search(plain):
            return Recognised(Courtesy.HANDOFF, language)
        for pattern, found in patterns:
            if pattern.fullmatch(plain):
                return Recognised(found, language)
    return None


def _in_english(message: str) -> Courtesy | None:
    plain = _plain(message.replace("’", "'").lower())
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


def _plain(text: str) -> str:
    """Letters and digits, apostrophes, and commas without a space before them."""
    bare = re.sub(r"[^\w\s',]", " ", re.sub("[，、،]", ",", text))
    return " ".join(bare.replace(" ,", ",").split()).strip(", ")


def without_greeting(message: str) -> str:
    """``Hi there, do you ...`` is ``do you ...``."""
    return _LEADING_GREETING.sub("", message.strip())
