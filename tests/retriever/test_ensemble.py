from __future__ import annotations

import numpy as np
import pytest

from retriever.ensemble import EnsembleEmbedder, Member
from tests.fakes import HashEmbedder

_TEXTS = ["return the kettle within 45 days", "the parcel reaches Norway in a week", "45 days"]


class _Loadable(HashEmbedder):
    loaded = False

    def load(self) -> None:
        self.loaded = True


def test_cosine_is_the_weighted_mean_of_the_members_cosines() -> None:
    small, large = _Loadable(16), _Loadable(48)
    ensemble = EnsembleEmbedder([Member(small, 0.7), Member(large, 0.3)])
    queries = ["How do I return the kettle within 45 days?", "When does the parcel reach Norway?"]
    joined = ensemble.encode_queries(queries) @ ensemble.encode_documents(_TEXTS).T
    apart = [embedder.encode_queries(queries) @ embedder.encode_documents(_TEXTS).T for embedder in (small, large)]
    np.testing.assert_allclose(joined, 0.7 * apart[0] + 0.3 * apart[1], atol=1e-6)


def test_question_in_another_language_is_left_to_the_members_that_know_it() -> None:
    small, middle, large = _Loadable(16), _Loadable(32), _Loadable(48)
    ensemble = EnsembleEmbedder([Member(small, 0.5), Member(middle, 0.3), Member(large, 0.2)])
    queries = ["退货要多少钱 45 days", "How much is the kettle?", "USB-C"]
    joined = ensemble.encode_queries(queries) @ ensemble.encode_documents(_TEXTS).T
    apart = [member.encode_queries(queries) @ member.encode_documents(_TEXTS).T for member in (small, middle, large)]
    in_chinese, in_english, in_doubt = (0.1, 0.54, 0.36), (0.5, 0.3, 0.2), (0.4, 0.36, 0.24)
    for row, shares in enumerate((in_chinese, in_english, in_doubt)):
        expected = sum(share * cosines[row] for share, cosines in zip(shares, apart, strict=True))
        np.testing.assert_allclose(joined[row], expected, atol=1e-6)


def test_one_member_alone_is_used_for_every_language() -> None:
    alone = EnsembleEmbedder([Member(_Loadable(16), 1.0)])
    np.testing.assert_allclose(alone.encode_queries(["退货"]), alone.encode_documents(["退货"]))


def test_vectors_are_of_unit_length_and_of_the_joint_dimension() -> None:
    ensemble = EnsembleEmbedder([Member(_Loadable(16), 0.5), Member(_Loadable(48), 0.5)])
    vectors = ensemble.encode_documents(_TEXTS)
    assert vectors.shape == (3, ensemble.dimension) == (3, 64)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)
    assert ensemble.encode_documents([]).shape == (0, 64)


def test_other_weights_are_another_fingerprint() -> None:
    members = _Loadable(16), _Loadable(48)
    prints = {
        EnsembleEmbedder([Member(members[0], share), Member(members[1], 1 - share)]).fingerprint for share in (0.5, 0.6)
    }
    assert len(prints) == 2


def test_loading_loads_every_member() -> None:
    members = _Loadable(16), _Loadable(48)
    EnsembleEmbedder([Member(member, 0.5) for member in members]).load()
    assert all(member.loaded for member in members)


def test_weights_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(ValueError, match="add up to 1"):
        EnsembleEmbedder([Member(_Loadable(), 0.7), Member(_Loadable(), 0.4)])


def test_english_query_may_be_weighed_for_documents_in_another_language() -> None:
    ensemble = EnsembleEmbedder([Member(_Loadable(16), 0.65), Member(_Loadable(48), 0.35)])
    small, large = _Loadable(16), _Loadable(48)
    joined = ensemble.encode_queries_abroad(["return the kettle"]) @ ensemble.encode_documents(_TEXTS).T
    apart = [one.encode_queries(["return the kettle"]) @ one.encode_documents(_TEXTS).T for one in (small, large)]
    np.testing.assert_allclose(joined, 0.1 * apart[0] + 0.9 * apart[1], atol=1e-6)
    assert ensemble.encode_queries_abroad([]).shape == (0, 64)
