"""Fixed phrases in the customer's language: the only sentences that need no proof, for they claim nothing.

``FixedPhrase`` is a type of its own, made in this module only, so that nothing else can be said unproven: the turn's
``say`` takes no string. Numbers, conditions and names of the business never stand in a phrase.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from domain.language import ENGLISH

_MAX_NAMED_CHARS = 120


@dataclass(frozen=True, slots=True)
class FixedPhrase:
    """A sentence of ours without a claim."""

    text: str


class Courtesy(Enum):
    GREETING = auto()
    THANKS = auto()
    GOODBYE = auto()
    IDENTITY = auto()
    HANDOFF = auto()
    REFUSAL = auto()
    PRIVATE = auto()
    OPINION = auto()
    OFFER = auto()
    NO_KNOWLEDGE = auto()


@dataclass(frozen=True, slots=True)
class _Wording:
    """``said`` holds the courtesies in the enum's order; ``in_language`` says in which language a document is, with
    "" for any language without a name here; ``not_found`` and ``notice`` have one place to fill.
    """

    said: tuple[str, ...]
    not_found: str
    notice: str
    in_language: Mapping[str, str]


_WORDINGS = {
    "en": _Wording(
        (
            "Hello! What would you like to know?",
            "You are welcome. Is there anything else you would like to know?",
            "Goodbye, and all the best.",
            "I am a program, not a person, and I answer from our documents.",
            "Of course, I am handing you over to a person.",
            "I could not find a reliable answer to this in our documents.",
            "I answer from our documents only and see no orders, accounts or personal data.",
            "I can only tell you what our documents say, so I have no opinion on this.",
            "If you like, I can hand you over to a person.",
            "I have no documents to answer from yet.",
        ),
        "I could not find anything about “{}” in our documents.",
        "Our document says ({}):",
        {
            **{"en": "in English", "zh": "in Chinese", "es": "in Spanish", "fr": "in French", "de": "in German"},
            **{"ar": "in Arabic", "ja": "in Japanese", "": "in another language"},
        },
    ),
    "zh": _Wording(
        (
            "您好！请问您想了解什么？",
            "不客气。您还想了解什么吗？",
            "再见，祝您一切顺利。",
            "我是一个程序，不是真人，我根据我们的文档回答问题。",
            "好的，我这就为您转接人工服务。",
            "我在我们的文档中没有找到可靠的答案。",
            "我只根据我们的文档回答，看不到任何订单、账户或个人信息。",
            "我只能告诉您我们的文档里写了什么，对此没有个人看法。",
            "如果您愿意，我可以为您转接人工服务。",
            "我目前还没有可以参考的文档。",
        ),
        "我在我们的文档中没有找到关于“{}”的内容。",
        "我们的文档（{}）是这样写的：",
        {
            **{"en": "英文", "zh": "中文", "es": "西班牙文", "fr": "法文", "de": "德文", "ar": "阿拉伯文"},
            **{"ja": "日文", "": "其他语言"},
        },
    ),
    "es": _Wording(
        (
            "¡Hola! ¿Qué le gustaría saber?",
            "De nada. ¿Hay algo más que quiera saber?",
            "Adiós, y que le vaya muy bien.",
            "Soy un programa, no una persona, y respondo a partir de nuestros documentos.",
            "Por supuesto, le paso con una persona.",
            "No he encontrado una respuesta fiable a esto en nuestros documentos.",
            "Solo respondo a partir de nuestros documentos y no veo pedidos, cuentas ni datos personales.",
            "Solo puedo decirle lo que dicen nuestros documentos, así que no tengo una opinión al respecto.",
            "Si lo desea, puedo pasarle con una persona.",
            "Todavía no tengo documentos en los que basarme.",
        ),
        "No he encontrado nada sobre «{}» en nuestros documentos.",
        "Nuestro documento dice ({}):",
        {
            **{"en": "en inglés", "zh": "en chino", "es": "en español", "fr": "en francés", "de": "en alemán"},
            **{"ar": "en árabe", "ja": "en japonés", "": "en otro idioma"},
        },
    ),
    "fr": _Wording(
        (
            "Bonjour ! Que souhaitez-vous savoir ?",
            "Je vous en prie. Souhaitez-vous savoir autre chose ?",
            "Au revoir et bonne continuation.",
            "Je suis un programme, pas une personne, et je réponds à partir de nos documents.",
            "Bien sûr, je vous mets en relation avec une personne.",
            "Je n’ai pas trouvé de réponse fiable à cette question dans nos documents.",
            "Je réponds d’après nos documents seulement et ne vois ni commandes, ni comptes, ni données personnelles.",
            "Je ne peux vous dire que ce que disent nos documents ; je n’ai donc pas d’avis sur ce point.",
            "Si vous le souhaitez, je peux vous mettre en relation avec une personne.",
            "Je n’ai pas encore de documents sur lesquels m’appuyer.",
        ),
        "Je n’ai rien trouvé sur « {} » dans nos documents.",
        "Notre document dit ({}) :",
        {
            **{"en": "en anglais", "zh": "en chinois", "es": "en espagnol", "fr": "en français", "de": "en allemand"},
            **{"ar": "en arabe", "ja": "en japonais", "": "dans une autre langue"},
        },
    ),
    "de": _Wording(
        (
            "Guten Tag! Was möchten Sie wissen?",
            "Gern geschehen. Möchten Sie noch etwas wissen?",
            "Auf Wiedersehen und alles Gute.",
            "Ich bin ein Programm, kein Mensch, und antworte aus unseren Dokumenten.",
            "Gern, ich leite Sie an einen Menschen weiter.",
            "Dazu habe ich in unseren Dokumenten keine verlässliche Antwort gefunden.",
            "Ich antworte nur aus unseren Dokumenten und sehe keine Bestellungen, Konten oder persönlichen Daten.",
            "Ich kann Ihnen nur sagen, was in unseren Dokumenten steht, und habe dazu keine Meinung.",
            "Wenn Sie möchten, leite ich Sie an einen Menschen weiter.",
            "Ich habe noch keine Dokumente, aus denen ich antworten könnte.",
        ),
        "Zu „{}“ habe ich in unseren Dokumenten nichts gefunden.",
        "In unserem Dokument steht ({}):",
        {
            **{"en": "auf Englisch", "zh": "auf Chinesisch", "es": "auf Spanisch", "fr": "auf Französisch"},
            **{"de": "auf Deutsch", "ar": "auf Arabisch", "ja": "auf Japanisch", "": "in einer anderen Sprache"},
        },
    ),
    "ar": _Wording(
        (
            "مرحبًا! ماذا تودّ أن تعرف؟",
            "على الرحب والسعة. هل تودّ معرفة شيء آخر؟",
            "مع السلامة، مع أطيب التمنيات.",
            "أنا برنامج ولست شخصًا، وأجيب استنادًا إلى مستنداتنا.",
            "بالتأكيد، سأحوّلك إلى أحد موظفينا.",
            "لم أجد إجابة موثوقة عن هذا السؤال في مستنداتنا.",
            "أجيب من مستنداتنا فقط، ولا أطّلع على الطلبات أو الحسابات أو البيانات الشخصية.",
            "لا يمكنني إلا أن أخبرك بما ورد في مستنداتنا، وليس لديّ رأي في هذا الأمر.",
            "إذا رغبت، يمكنني تحويلك إلى أحد موظفينا.",
            "ليست لديّ مستندات أجيب منها بعد.",
        ),
        "لم أجد شيئًا عن «{}» في مستنداتنا.",
        "جاء في مستندنا ({}):",
        {
            **{"en": "بالإنجليزية", "zh": "بالصينية", "es": "بالإسبانية", "fr": "بالفرنسية", "de": "بالألمانية"},
            **{"ar": "بالعربية", "ja": "باليابانية", "": "بلغة أخرى"},
        },
    ),
    "ja": _Wording(
        (
            "こんにちは。どのようなことをお知りになりたいですか。",
            "どういたしまして。ほかにお知りになりたいことはありますか。",
            "ご利用ありがとうございました。失礼いたします。",
            "私は人ではなくプログラムで、当社の文書に基づいてお答えします。",
            "かしこまりました。担当者におつなぎします。",
            "当社の文書の中に、確かな答えは見つかりませんでした。",
            "当社の文書に基づいてのみお答えしており、ご注文、アカウント、個人情報は見ることができません。",
            "当社の文書に書かれていることだけをお伝えできます。この点についての意見は持っていません。",
            "ご希望でしたら、担当者におつなぎします。",
            "お答えのもとになる文書がまだありません。",
        ),
        "「{}」については、当社の文書に見つかりませんでした。",
        "当社の文書（{}）には次のように書かれています。",
        {
            **{"en": "英語", "zh": "中国語", "es": "スペイン語", "fr": "フランス語", "de": "ドイツ語"},
            **{"ar": "アラビア語", "ja": "日本語", "": "別の言語"},
        },
    ),
}
LANGUAGES = tuple(_WORDINGS)
_ORDER = tuple(Courtesy)


def spoken(language: str | None) -> str:
    """The language that phrases are said in to a customer who writes ``language``: that one, or English."""
    return language if language in _WORDINGS else ENGLISH


def phrase(courtesy: Courtesy, language: str) -> FixedPhrase:
    """``language`` is one of ``LANGUAGES``."""
    return FixedPhrase(_WORDINGS[language].said[_ORDER.index(courtesy)])


def is_refusal(text: str) -> bool:
    """True for what was said where a question stayed unanswered, in any of our languages, the offer included."""
    kinds = (Courtesy.REFUSAL, Courtesy.PRIVATE, Courtesy.OPINION, Courtesy.NO_KNOWLEDGE)
    return text.startswith(tuple(phrase(kind, language).text for kind in kinds for language in LANGUAGES))


def not_found(question: str, language: str) -> FixedPhrase:
    """Names the part of a message that stays unanswered."""
    named = " ".join(question.split()).strip(" ¿?!.,;:؟。！？").replace("[", "(").replace("]", ")")
    if len(named) > _MAX_NAMED_CHARS:
        named = named[:_MAX_NAMED_CHARS].rsplit(" ", 1)[0] + " …"
    return FixedPhrase(_WORDINGS[language].not_found.format(named))


def notice(document_language: str, language: str) -> FixedPhrase:
    """Says that the quotation that follows is in the document's own language."""
    wording = _WORDINGS[language]
    return FixedPhrase(wording.notice.format(wording.in_language.get(document_language, wording.in_language[""])))
