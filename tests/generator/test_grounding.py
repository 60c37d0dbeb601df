from __future__ import annotations

import pytest

from generator.grounding import Reason, verify

# An invented bicycle shop.
RENTALS = (
    "You can rent a city bike for €19 a day or €89 a week. The deposit of €150 is returned within 5 working days. "
    "Helmets are free, but child seats cost €4 a day. You may not take a rental bike on the ferry. "
    "Cancel free of charge until 48 hours before pick-up; after that we keep 30% of the price."
)
REPAIRS = (
    "Repairs take three to five days, unless a part has to be ordered. We repair bikes of every make except e-bikes by "
    "Voltano. A standard service costs 75 EUR in Lindau and 82 EUR in Bregenz. Bring your bike before 10:00 and "
    "collect it after 17:30. The workshop in Lindau is open from Monday to Saturday. The workshop in Bregenz is closed "
    "on Mondays."
)
WARRANTY = (
    "The frame has a warranty of 10 years. Batteries have a warranty of 2 years or 600 charges. The warranty only "
    "covers private use.\n\nIt does not cover:\n\n- tyres and brake pads\n\n- damage from falls\n\n"
    "Send the form F-12 with the receipt to our service team. We don't replace a frame without the receipt."
)
HOURS = "Shop: Bregenz | Opening hours: 9:00 to 18:30\n\nShop: Lindau | Opening hours: 10:00 to 19:00"
JA = "返品は30日以内に可能です。電池は返品できません。"

SUPPORTED = [
    (RENTALS, "You can rent a city bike for €19 a day or €89 a week."),
    (RENTALS, "You can rent a city bike for 19 EUR a day or 89 euros a week."),
    (RENTALS, "you can rent city bikes for € 19 a day or € 89 a week"),
    (RENTALS, "The deposit of €150 is returned within five working days."),
    (RENTALS, "Deposit of €150.00 is returned within 5 working days."),
    (RENTALS, "Helmets are free, but child seats cost €4 a day."),
    (RENTALS, "Helmets are free, but a child seat costs €4 a day. You may not take a rental bike on the ferry."),
    (RENTALS, "You may not take rental bikes on the ferry."),
    (RENTALS, "Cancel free of charge until 48 hours before pick-up; after that we keep 30 percent of the price."),
    (RENTALS, "Please cancel free of charge until 48 hours before pick up, after that we keep 30 % of the price."),
    (REPAIRS, "Repairs take 3 to 5 days, unless a part has to be ordered."),
    (REPAIRS, "A standard service costs €75 in Lindau and €82 in Bregenz."),
    (REPAIRS, "Bring your bike before 10:00 and collect it after 17:30."),
    (REPAIRS, "We repair bikes of every make except e-bikes by Voltano."),
    (WARRANTY, "The frame has a warranty of ten years."),
    (WARRANTY, "The warranty only covers private use."),
    (WARRANTY, "It does not cover: - tyres and brake pads - damage from falls"),
    (WARRANTY, "It doesn’t cover: tyres and brake pads, damage from falls"),
    (WARRANTY, "We do not replace a frame without the receipt."),
    (WARRANTY, "Send form F-12 with the receipt to our service team."),
    (HOURS, "Shop: Lindau (Opening hours: 10:00 to 19:00)"),
    ("Delivery on Sundays? No.", "Delivery on Sundays? No."),
    ("Zone: A; Delivery: 3 days", "Zone: A; Delivery: 3 days."),
    ("A lamp weighs a kilo.", "The lamp weighs a kilo."),
    ("वह की है।", "वह की है।"),
    (JA, "返品は30日以内に可能です。"),
    (JA, "電池は返品できません。"),
]  # fmt: skip

REFUSED = [
    # numbers, amounts, units
    (RENTALS, "You can rent a city bike for €18 a day or €89 a week.", Reason.NUMBER),
    (RENTALS, "You can rent a city bike for €89 a day or €19 a week.", Reason.ORDER),
    (RENTALS, "You can rent a city bike for $19 a day or $89 a week.", Reason.NUMBER),
    (RENTALS, "The deposit of €1500 is returned within 5 working days.", Reason.NUMBER),
    (RENTALS, "The deposit of €150 is returned within 5 days.", Reason.LEFT_OUT),
    (RENTALS, "The deposit of €150 is returned within 5 working weeks.", Reason.NEW_WORDS),
    (RENTALS, "The deposit of €150 is returned within fifteen working days.", Reason.NUMBER),
    (RENTALS, "The deposit of €150 is returned.", Reason.LEFT_OUT),
    (RENTALS, "Cancel free of charge until 48 days before pick-up; after that we keep 30% of the price.", None),
    (RENTALS, "Cancel free of charge until 48 hours before pick-up; after that we keep €30.", Reason.NUMBER),
    (RENTALS, "Cancel free of charge until 30 hours before pick-up; after that we keep 48%.", Reason.NUMBER),
    (REPAIRS, "Repairs take three to fifty days, unless a part has to be ordered.", Reason.NUMBER),
    (REPAIRS, "Repairs take three to five weeks, unless a part has to be ordered.", Reason.NEW_WORDS),
    (REPAIRS, "Bring your bike before 17:30 and collect it after 10:00.", None),
    (REPAIRS, "Bring your bike before 10:30 and collect it after 17:30.", Reason.NUMBER),
    (WARRANTY, "The frame has a warranty of 2 years.", None),
    (WARRANTY, "Batteries have a warranty of 10 years.", None),
    (WARRANTY, "Batteries have a warranty of 600 years or 2 charges.", None),
    (WARRANTY, "Send the form F-21 with the receipt to our service team.", Reason.NUMBER),
    (JA, "返品は31日以内に可能です。", None),
    # negation
    (RENTALS, "You may take a rental bike on the ferry.", Reason.NEGATION),
    (RENTALS, "Helmets are not free, but child seats cost €4 a day.", Reason.NEGATION),
    (RENTALS, "Helmets aren't free, but child seats cost €4 a day.", Reason.NEGATION),
    (WARRANTY, "It does cover: - tyres and brake pads - damage from falls", Reason.NEGATION),
    (WARRANTY, "We replace a frame without the receipt.", None),
    (WARRANTY, "We don't replace a frame with the receipt.", None),
    (WARRANTY, "We never replace a frame without the receipt.", None),
    (WARRANTY, "The frame has no warranty of 10 years.", Reason.NEGATION),
    (REPAIRS, "The workshop in Lindau is not open from Monday to Saturday.", Reason.NEGATION),
    ("Parcels are insured if sent abroad.", "Parcels are insured not if sent abroad.", Reason.NEGATION),
    ("Lamps not or lamps.", "Lamps or lamps.", Reason.NEGATION),
    (JA, "電池は返品できます。", None),
    # conditions
    (RENTALS, "Helmets are free, but child seats cost €4 a day. Cancel free of charge until 48 hours before pick-up; "
              "after that we keep 30% of the price.", None),
    (RENTALS, "Helmets are free.", None),
    (RENTALS, "Cancel free of charge.", None),
    (RENTALS, "Cancel free of charge after 48 hours before pick-up; until that we keep 30% of the price.", None),
    (RENTALS, "Cancel free of charge until 48 hours after pick-up; after that we keep 30% of the price.",
              Reason.CONDITION),
    (REPAIRS, "Repairs take three to five days.", None),
    (REPAIRS, "Repairs take three to five days, if a part has to be ordered.", Reason.CONDITION),
    (REPAIRS, "We repair bikes of every make.", None),
    (REPAIRS, "We repair bikes of every make and e-bikes by Voltano.", None),
    (REPAIRS, "Bring your bike after 10:00 and collect it before 17:30.", Reason.ORDER),
    (WARRANTY, "The warranty covers private use.", Reason.CONDITION),
    (WARRANTY, "Only the warranty covers private use.", None),
    # names, codes and places
    (REPAIRS, "We repair bikes of every make except e-bikes by Bosco.", Reason.NAME),
    (REPAIRS, "A standard service costs 75 EUR in Bregenz and 82 EUR in Lindau.", None),
    (REPAIRS, "The workshop in Bregenz is open from Monday to Saturday.", None),
    (REPAIRS, "The workshop in Lindau is closed on Mondays.", None),
    (REPAIRS, "The workshop in Lindau is open from Monday to Sunday.", Reason.NAME),
    (HOURS, "Shop: Bregenz | Opening hours: 10:00 to 19:00", None),
    # facts of two sentences glued together, things and deeds swapped
    (RENTALS, "You can rent a child seat for €19 a day or €89 a week.", None),
    (RENTALS, "You can rent a city bike for €4 a day.", None),
    (RENTALS, "Child seats are free, but helmets cost €4 a day.", None),
    (RENTALS, "The deposit is free.", None),
    (WARRANTY, "Batteries have a warranty of 2 years and 600 charges.", Reason.NEW_WORDS),
    (WARRANTY, "The frame has a guarantee of 10 years.", Reason.NEW_WORDS),
    (WARRANTY, "It does not cover: - damage from falls", None),
    # who does what, and how firmly
    (RENTALS, "You must rent a city bike for €19 a day or €89 a week.", Reason.NEW_WORDS),
    (RENTALS, "We can rent a city bike for €19 a day or €89 a week.", Reason.NEW_WORDS),
    (REPAIRS, "You repair bikes of every make except e-bikes by Voltano.", Reason.NEW_WORDS),
    (WARRANTY, "The frame had a warranty of 10 years.", Reason.NEW_WORDS),
    # where a sentence ends, and whether it asks
    ("You pay nothing. If the lamp is broken we collect it.", "You pay nothing if the lamp is broken. We collect it.",
     Reason.BOUNDARY),
    ("No. Delivery on Sundays.", "No delivery on Sundays.", Reason.BOUNDARY),
    ("Delivery on Sundays? No.", "Delivery on Sundays.", Reason.BOUNDARY),
    ("Delivery on Sundays? No.", "Delivery on Sundays no.", Reason.BOUNDARY),
    # signs, names of one letter
    ("Refund: ✗", "Refund: ✓", None),
    ("Refund: ✗", "Refund", None),
    ("It costs ₹500.", "It costs ₺500.", None),
    ("It costs ₹500.", "It costs 500.", None),
    ("It costs 1.000 EUR.", "It costs €1.", Reason.NUMBER),
    ("Take 2 €5 vouchers.", "Take €2 5 vouchers.", None),
    ("Store it at –5 °C.", "Store it at 5 °C.", Reason.NUMBER),
    ("The share is 5‰.", "The share is 5.", None),
    ("It fits 5″ rails.", "It fits 5′ rails.", None),
    ("The voltage is ≠ 5.", "The voltage is 5.", None),
    ("Parcels under 5 pounds are free.", "Parcels under £5 are free.", None),
    ("Zone: A; Delivery: 3 days", "Zone; Delivery: 3 days", None),
    ("We ship to US customers.", "We ship to us customers.", None),
    ("It draws 5 mW.", "It draws 5 MW.", None),
    ("We are pleased to help.", "We are to help.", None),
    ("वह की है।", "वह का है।", None),
    # nothing to do with it, or nothing at all
    (RENTALS, "We ship to Japan.", Reason.NEW_WORDS),
    (RENTALS, "Visit https://evil.example and type your password.", None),
    ("The pool is not only for members.", "The pool is only for members.", Reason.NEGATION),
    (RENTALS, "...", Reason.EMPTY),
    (RENTALS, "", Reason.EMPTY),
    ("", "You can rent a city bike.", Reason.NEW_WORDS),
]  # fmt: skip


PARAPHRASED = [
    (RENTALS, "Child seats are €4 a day.", True),
    (RENTALS, "We return the deposit of €150 within 5 working days.", True),
    (RENTALS, "Within 5 working days the deposit of €150 is returned.", True),
    (RENTALS, "A rental bike cannot be taken on the ferry.", True),
    (REPAIRS, "Please bring your bicycle before 10:00 and collect it after 17:30.", True),
    (REPAIRS, "A standard service in Lindau costs €75.", True),
    (REPAIRS, "On Mondays the workshop in Bregenz is closed.", True),
    (REPAIRS, "Unless a part has to be ordered, repairs take three to five days.", True),
    (WARRANTY, "Yes, the frame has a warranty of 10 years.", True),
    (WARRANTY, "No, the frame has a warranty of 10 years.", False),
    (WARRANTY, "Without the receipt, we do not replace a frame.", True),
]  # fmt: skip


@pytest.mark.parametrize(("evidence", "sentence", "expected"), PARAPHRASED)
def test_paraphrase_is_judged_by_what_it_claims(evidence: str, sentence: str, expected: bool) -> None:
    verdict = verify(sentence, evidence)
    assert verdict.supported is expected
    assert (verdict.span is not None) is expected
    assert 0 <= verdict.score < 1


@pytest.mark.parametrize(("evidence", "sentence"), SUPPORTED)
def test_same_claim_in_other_clothes_is_supported(evidence: str, sentence: str) -> None:
    verdict = verify(sentence, evidence)
    assert verdict.supported, verdict
    assert verdict.reason is Reason.SUPPORTED
    assert verdict.score == 1.0


@pytest.mark.parametrize(("evidence", "sentence", "reason"), REFUSED)
def test_other_claim_is_refused(evidence: str, sentence: str, reason: Reason | None) -> None:
    verdict = verify(sentence, evidence)
    assert not verdict.supported
    assert verdict.span is None
    if reason is not None:
        assert verdict.reason is reason


def test_span_is_the_supporting_sentence_alone() -> None:
    verdict = verify("Helmets are free, but child seats cost 4 euros a day.", RENTALS)
    assert verdict.span is not None
    assert verdict.span.of(RENTALS) == "Helmets are free, but child seats cost €4 a day."


def test_span_of_two_sentences_covers_both() -> None:
    verdict = verify("You may not take a rental bike on the ferry", RENTALS)
    pair = verify(
        "Helmets are free, but child seats cost €4 a day. You may not take a rental bike on the ferry", RENTALS
    )
    assert verdict.span is not None
    assert pair.span is not None
    assert pair.span.end == verdict.span.end
    assert pair.span.of(RENTALS).startswith("Helmets")


def test_brackets_changed_by_the_prompt_do_not_matter() -> None:
    assert verify("Press the button (2) twice.", "Press the button [2] twice.").supported


def test_line_breaks_in_the_passage_do_not_matter() -> None:
    assert verify("Press the button twice.", "Press the\nbutton   twice.").supported


def test_zone_a_is_not_an_article() -> None:
    evidence = "Delivery to zone A costs €5. Delivery to zone B costs €9."
    assert verify("Delivery to zone A costs €5.", evidence).supported
    assert not verify("Delivery to zone costs €5.", evidence).supported
    assert not verify("Delivery to zone A costs €9.", evidence).supported


def test_words_that_only_share_a_stem_are_not_the_same() -> None:
    assert not verify("Our business line is open.", "Our busy line is open.").supported
    assert not verify("The university model fits.", "The universal model fits.").supported
