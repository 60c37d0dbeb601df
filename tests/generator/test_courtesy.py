from __future__ import annotations

import pytest

from generator.courtesy import Recognised, recognise, without_greeting
from generator.phrases import Courtesy


@pytest.mark.parametrize(
    ("message", "courtesy"),
    [
        ("hi", Courtesy.GREETING),
        ("Hello there!", Courtesy.GREETING),
        ("Good morning", Courtesy.GREETING),
        ("thanks a lot", Courtesy.THANKS),
        ("Ok, thank you very much!", Courtesy.THANKS),
        ("thanks, bye", Courtesy.THANKS),
        ("thanks, that helps", Courtesy.THANKS),
        ("That really helped, thank you!", Courtesy.THANKS),
        ("Goodbye", Courtesy.GOODBYE),
        ("Are you a robot?", Courtesy.IDENTITY),
        ("hi, am I talking to a real person or a bot?", Courtesy.IDENTITY),
        ("Can I talk to a real person please", Courtesy.HANDOFF),
        ("I want to speak with an agent", Courtesy.HANDOFF),
        ("human", Courtesy.HANDOFF),
        ("this is useless, get me a human", Courtesy.HANDOFF),
    ],
)
def test_courtesy_is_recognised(message: str, courtesy: Courtesy) -> None:
    assert recognise(message) == Recognised(courtesy, "en")


@pytest.mark.parametrize(
    "message",
    [
        "hi, how long is the warranty?",
        "thanks, but what about the battery",
        "Do you have people who repair e-bikes?",
        "What does your agent in Lindau charge?",
        "hi-vis vests",
        "do I need a person at home when the parcel comes?",
        "I don't want to talk to a person, how long is the warranty?",
        "are you a machine shop?",
        "that helps the battery, does it?",
        "thanks for nothing, where is my refund",
    ],
)
def test_question_is_no_courtesy(message: str) -> None:
    assert recognise(message) is None


def test_greeting_before_a_question_is_taken_off() -> None:
    assert without_greeting("Hi there, do you sell locks?") == "do you sell locks?"
    assert without_greeting("hiking boots?") == "hiking boots?"
    assert without_greeting("hello!") == "hello!"


@pytest.mark.parametrize(
    ("message", "courtesy", "language"),
    [
        ("你好", Courtesy.GREETING, "zh"),
        ("好的，谢谢！", Courtesy.THANKS, "zh"),
        ("谢谢，再见", Courtesy.THANKS, "zh"),
        ("请帮我转人工客服", Courtesy.HANDOFF, "zh"),
        ("¡Hola, buenos días!", Courtesy.GREETING, "es"),
        ("muchas gracias por su ayuda", Courtesy.THANKS, "es"),
        ("¿Puedo hablar con alguien?", Courtesy.HANDOFF, "es"),
        ("Bonjour !", Courtesy.GREETING, "fr"),
        ("Merci beaucoup, au revoir", Courtesy.THANKS, "fr"),
        ("Je voudrais parler à un conseiller", Courtesy.HANDOFF, "fr"),
        ("Grüß Gott", Courtesy.GREETING, "de"),
        ("Danke schön!", Courtesy.THANKS, "de"),
        ("Verbinden Sie mich bitte mit einem Mitarbeiter", Courtesy.HANDOFF, "de"),
        ("السلام عليكم", Courtesy.GREETING, "ar"),
        ("شُكْرًا جزيلًا", Courtesy.THANKS, "ar"),
        ("أريد التحدث مع موظف", Courtesy.HANDOFF, "ar"),
        ("こんにちは。", Courtesy.GREETING, "ja"),
        ("どうもありがとうございました", Courtesy.THANKS, "ja"),
        ("オペレーターにつないでください", Courtesy.HANDOFF, "ja"),
    ],
)
def test_courtesy_is_recognised_in_the_language_of_its_words(message: str, courtesy: Courtesy, language: str) -> None:
    assert recognise(message) == Recognised(courtesy, language)


@pytest.mark.parametrize(
    "message",
    [
        "你好，退货要多少钱？",
        "我不要转人工，保修多久？",
        "gracias por nada, ¿dónde está mi pedido?",
        "¿Otra persona puede firmar por mí?",
        "Hallo, wie lange ist die Garantie?",
        "Kann eine andere Person das Paket annehmen?",
        "هل يمكن لشخص آخر استلام الطرد؟",
        "他人が代わりに受け取れますか",
    ],
)
def test_question_in_another_language_is_no_courtesy(message: str) -> None:
    assert recognise(message) is None


def test_greeting_of_another_language_before_a_question_is_taken_off() -> None:
    assert without_greeting("你好，退货要多少钱？") == "退货要多少钱？"
    assert without_greeting("Hola, ¿hacen envíos?") == "¿hacen envíos?"
    assert without_greeting("Hallodri?") == "Hallodri?"
