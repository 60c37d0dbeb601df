from __future__ import annotations

import random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from domain.text import sentences
from generator.grounding import verify
from generator.tokens import tokens

# fmt: off
_WORDS = (
    "lamps", "may", "be", "returned", "within", "days", "of", "delivery", "the", "a", "receipt", "is", "needed", "and",
    "must", "only", "if", "unopened", "zone", "A", "costs", "we", "you", "send", "Otter", "USB-C", "please", "until",
    "Monday", "free", "or", "cannot", "won't", "it's", "battery's", "twenty", "weeks", "hours", "%", "€",
)
# fmt: on


def _denials(sentence: str) -> int:
    return sum(word.strip(".").lower() in ("cannot", "won't") for word in sentence.split())


_numbers = st.integers(1, 99_999).map(
    lambda n: random.Random(n).choice((str(n), f"{n:,}", f"€{n}", f"{n}%", f"{n}.50"))
)
_sentence = st.lists(st.one_of(st.sampled_from(_WORDS), _numbers), min_size=3, max_size=14).map(
    lambda words: " ".join(words).capitalize() + "."
)
_evidence = st.lists(_sentence, min_size=1, max_size=6).map(" ".join)


@settings(deadline=None)
@given(_evidence, st.data())
def test_verbatim_sentence_is_always_supported_by_its_own_words(evidence: str, data: st.DataObject) -> None:
    chosen = data.draw(st.sampled_from(sentences(evidence)))
    assume(tokens(chosen))
    verdict = verify(chosen, evidence)
    assert verdict.supported
    assert verdict.span is not None
    assert [t.key for t in tokens(verdict.span.of(evidence))] == [t.key for t in tokens(chosen)]


@settings(deadline=None)
@given(st.text(min_size=1, max_size=400), st.data())
def test_verbatim_sentence_of_any_text_is_supported(evidence: str, data: st.DataObject) -> None:
    found = [s for s in sentences(evidence) if any(t.key not in ("pleas", "also") for t in tokens(s))]
    assume(found)
    assert verify(data.draw(st.sampled_from(found)), evidence).supported


@settings(deadline=None)
@given(_evidence, st.data())
def test_changed_number_is_never_supported(evidence: str, data: st.DataObject) -> None:
    chosen = data.draw(st.sampled_from(sentences(evidence)))
    places = [i for i, c in enumerate(chosen) if c.isdigit()]
    assume(places)
    at = data.draw(st.sampled_from(places))
    digit = data.draw(st.sampled_from([d for d in "123456789" if d != chosen[at]]))
    changed = chosen[:at] + digit + chosen[at + 1 :]
    said = [t.key for t in tokens(changed)]
    assume(all([t.key for t in tokens(s)] != said for s in sentences(evidence)))  # another sentence may say just that
    assert not verify(changed, evidence).supported


@pytest.mark.parametrize("negation", ["not", "never", "no", "without"])
@settings(deadline=None)
@given(evidence=_evidence, data=st.data())
def test_inserted_negation_is_never_supported(negation: str, evidence: str, data: st.DataObject) -> None:
    chosen = data.draw(st.sampled_from(sentences(evidence)))
    words = chosen.split()
    at = data.draw(st.integers(0, len(words)))
    # Another sentence may deny as much as this one then does.
    assume(all(_denials(other) <= _denials(chosen) for other in sentences(evidence)))
    # "No, it cannot" replies to a question; the denial behind it stays as it was.
    assume(not (negation == "no" and at == 0 and _denials(chosen)))
    assert not verify(" ".join([*words[:at], negation, *words[at:]]), evidence).supported


@settings(deadline=None)
@given(_sentence, st.data())
def test_removed_negation_is_never_supported(sentence: str, data: st.DataObject) -> None:
    words = sentence.split()
    at = data.draw(st.integers(1, len(words) - 1))
    evidence = " ".join([*words[:at], "not", *words[at:]])
    assert not verify(sentence, evidence).supported


@settings(deadline=None)
@given(_evidence, st.text(max_size=120))
def test_span_is_a_stretch_of_the_evidence(evidence: str, sentence: str) -> None:
    verdict = verify(sentence, evidence)
    assert verdict.supported == (verdict.span is not None)
    assert 0.0 <= verdict.score <= 1.0
    if verdict.span is not None:
        assert 0 <= verdict.span.start < verdict.span.end <= len(evidence)
