"""An artifact is published whole and verified to the last bit, or it is not handed out."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from domain.errors import ArtifactCorrupt, Conflict, InvalidInput
from storage.artifacts import MANIFEST, ArtifactStore

FACTS = {"fingerprint": "minilm", "count": 3, "language": "Größe"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "generations"


@pytest.fixture
def store(root: Path) -> ArtifactStore:
    return ArtifactStore(root)


def _publish(store: ArtifactStore, artifact_id: str = "g1") -> str:
    with store.stage(artifact_id) as staging:
        (staging.path / "dense.faiss").write_bytes(bytes(range(256)) * 4)
        (staging.path / "lexical").mkdir()
        (staging.path / "lexical" / "ids.json").write_text('["p1"]')
        staging.facts = FACTS
    return staging.manifest_sha256


def test_a_published_artifact_opens_with_its_facts(store: ArtifactStore, root: Path) -> None:
    manifest_sha256 = _publish(store)
    artifact = store.open("g1", manifest_sha256)
    assert artifact.facts == FACTS
    assert artifact.path == root / "g1"
    assert (artifact.path / "lexical" / "ids.json").read_text() == '["p1"]'
    assert store.open("g1", None) == artifact
    assert store.exists("g1")
    assert store.list_ids() == ["g1"]


def test_the_manifest_names_every_file(store: ArtifactStore, root: Path) -> None:
    _publish(store)
    manifest = json.loads((root / "g1" / MANIFEST).read_text())
    assert set(manifest["files"]) == {"dense.faiss", "lexical/ids.json"}
    assert manifest["files"]["dense.faiss"]["size"] == 1024


def test_only_the_owner_can_read(store: ArtifactStore, root: Path) -> None:
    _publish(store)
    everything = [root, *root.rglob("*")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in everything if path.is_file()} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in everything if path.is_dir()} == {0o700}


def test_any_flipped_bit_is_found_and_its_file_named(store: ArtifactStore, root: Path) -> None:
    manifest_sha256 = _publish(store)
    random = np.random.default_rng(3)
    for name in ("dense.faiss", "lexical/ids.json", MANIFEST):
        path = root / "g1" / name
        original = path.read_bytes()
        for bit in random.integers(0, len(original) * 8, size=20):
            flipped = bytearray(original)
            flipped[bit // 8] ^= 1 << (bit % 8)
            path.write_bytes(flipped)
            with pytest.raises(ArtifactCorrupt, match=name):
                store.open("g1", manifest_sha256)
        path.write_bytes(original)
    store.open("g1", manifest_sha256)


@pytest.mark.parametrize("name", ["dense.faiss", "lexical/ids.json", MANIFEST])
def test_a_truncated_or_missing_file_is_named(store: ArtifactStore, root: Path, name: str) -> None:
    manifest_sha256 = _publish(store)
    path = root / "g1" / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ArtifactCorrupt, match=name):
        store.open("g1", manifest_sha256)
    path.unlink()
    with pytest.raises(ArtifactCorrupt, match=f"{name}.*missing"):
        store.open("g1", manifest_sha256)


def test_an_extra_file_is_named(store: ArtifactStore, root: Path) -> None:
    _publish(store)
    (root / "g1" / "lexical" / "extra.bin").write_bytes(b"x")
    with pytest.raises(ArtifactCorrupt, match=r"lexical/extra\.bin"):
        store.open("g1", None)


def test_a_link_to_the_right_bytes_is_still_corrupt(store: ArtifactStore, root: Path, tmp_path: Path) -> None:
    _publish(store)
    path = root / "g1" / "dense.faiss"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ArtifactCorrupt, match=r"dense\.faiss"):
        store.open("g1", None)


@pytest.mark.parametrize("content", ["not json", "[]", "{}", '{"schema_version": 99, "files": {}, "facts": {}}'])
def test_a_manifest_of_another_shape_is_corrupt(store: ArtifactStore, root: Path, content: str) -> None:
    _publish(store)
    (root / "g1" / MANIFEST).write_text(content)
    with pytest.raises(ArtifactCorrupt, match=MANIFEST):
        store.open("g1", None)


def test_another_artifacts_manifest_is_refused(store: ArtifactStore) -> None:
    manifest_sha256 = _publish(store, "g1")
    with store.stage("g2") as staging:
        staging.facts = {"another": True}
    with pytest.raises(ArtifactCorrupt, match="g2"):
        store.open("g2", manifest_sha256)


def test_a_missing_artifact_is_corrupt_not_a_crash(store: ArtifactStore) -> None:
    with pytest.raises(ArtifactCorrupt, match="g1"):
        store.open("g1", None)
    assert not store.exists("g1")
    assert store.list_ids() == []


def test_a_failed_build_leaves_nothing(store: ArtifactStore, root: Path) -> None:
    def fail() -> None:
        with store.stage("g1") as staging:
            (staging.path / "dense.faiss").write_bytes(b"half")
            raise RuntimeError("index write failed")

    with pytest.raises(RuntimeError):
        fail()
    assert list(root.iterdir()) == []
    _publish(store)


def test_facts_that_are_not_json_leave_nothing(store: ArtifactStore, root: Path) -> None:
    def fail() -> None:
        with store.stage("g1") as staging:
            staging.facts = {"bad": object()}

    with pytest.raises(TypeError):
        fail()
    assert list(root.iterdir()) == []


def test_a_published_artifact_does_not_change(store: ArtifactStore) -> None:
    manifest_sha256 = _publish(store)
    with pytest.raises(Conflict, match="g1"), store.stage("g1"):
        pass
    store.open("g1", manifest_sha256)


def test_a_sweep_removes_what_a_killed_builder_left_but_not_a_build_in_progress(
    store: ArtifactStore, root: Path
) -> None:
    script = (
        "import os, signal; from pathlib import Path; from storage.artifacts import ArtifactStore\n"
        f"with ArtifactStore(Path({str(root)!r})).stage('g1') as staging:\n"
        "    (staging.path / 'half').write_bytes(b'x'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL
    with store.stage("g2") as staging:
        (staging.path / "file").write_bytes(b"y")
        assert len(list(root.iterdir())) == 2
        assert store.list_ids() == []
        assert store.sweep() == 1
    assert store.list_ids() == ["g2"]
    assert [path.name for path in root.iterdir()] == ["g2"]
    assert store.sweep() == 0


def test_removing_twice_is_fine(store: ArtifactStore, root: Path) -> None:
    _publish(store)
    store.remove("g1")
    store.remove("g1")
    assert not store.exists("g1")
    assert list(root.iterdir()) == []


@pytest.mark.parametrize("name", ["../g1", "/etc", "", ".hidden", "a/b", "a" * 200])
def test_an_id_cannot_leave_the_root(store: ArtifactStore, name: str) -> None:
    with pytest.raises(InvalidInput):
        store.exists(name)
