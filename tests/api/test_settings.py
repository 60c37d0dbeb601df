from __future__ import annotations

from pathlib import Path

import pytest

from api.settings import Settings, load_settings, setting_names
from domain.errors import SettingsInvalid


def test_nested_setting_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSWERDESK_RETRIEVER__TOP_K", "8")
    assert load_settings().retriever.top_k == 8


@pytest.mark.parametrize(
    ("typo", "meant"),
    [
        ("ANSWERDESK_RETREIVER__TOP_K", "ANSWERDESK_RETRIEVER__TOP_K"),
        ("ANSWERDESK_RETRIEVER__TOPK", "ANSWERDESK_RETRIEVER__TOP_K"),
        ("ANSWERDESK_DATADIR", "ANSWERDESK_DATA_DIR"),
    ],
)
def test_misspelt_setting_is_refused_and_the_nearest_one_named(
    monkeypatch: pytest.MonkeyPatch, typo: str, meant: str
) -> None:
    monkeypatch.setenv(typo, "8")
    with pytest.raises(SettingsInvalid) as caught:
        load_settings()
    assert meant in caught.value.remedy


def test_list_that_is_not_json_is_told_with_an_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSWERDESK_API__ALLOWED_HOSTS", "support.example.com")
    with pytest.raises(SettingsInvalid, match="ANSWERDESK_API__ALLOWED_HOSTS cannot be read") as caught:
        load_settings()
    assert '["support.example.com"]' in caught.value.remedy


def test_value_out_of_range_names_the_setting_and_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSWERDESK_RETRIEVER__TOP_K", "0")
    with pytest.raises(SettingsInvalid, match=r"ANSWERDESK_RETRIEVER__TOP_K.*'0'"):
        load_settings()


def test_data_dir_does_not_move_with_the_working_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings()
    monkeypatch.chdir("/")
    assert settings.data_dir == tmp_path / "data"
    assert settings.resolved_database_url == f"sqlite:///{tmp_path}/data/answerdesk.db"


def test_every_setting_has_a_description() -> None:
    assert all(setting_names().values())


def test_secrets_are_not_shown_when_settings_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSWERDESK_DATABASE_URL", "postgresql+psycopg://desk:hunter2@localhost/desk")
    monkeypatch.setenv("ANSWERDESK_API__METRICS_TOKEN", "hunter3")
    settings = load_settings()
    assert "hunter" not in repr(settings)


def test_settings_cannot_be_changed_after_start() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().log_level = "DEBUG"
