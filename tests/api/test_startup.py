from __future__ import annotations

import time
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from api.bootstrap import build_services
from api.main import create_app
from api.settings import Settings
from api.startup import Startup
from domain.access import AccessRole
from generator.settings import GeneratorSettings
from tests.api.conftest import LOOPBACK_URL
from tests.fakes import HashEmbedder, ScriptedLanguageModel


def _settings(folder: Path) -> Settings:
    return Settings(data_dir=folder / "data", generator=GeneratorSettings(model=str(folder / "no-model")))


def test_server_is_up_and_says_what_is_missing_until_the_database_comes(tmp_path: Path) -> None:
    folder, away = tmp_path / "database", tmp_path / "away"
    settings = Settings(
        data_dir=tmp_path / "data",
        database_url=f"sqlite:///{folder / 'answerdesk.db'}",
        generator=GeneratorSettings(model=str(tmp_path / "no-model")),
    )
    services = build_services(settings, embedder=HashEmbedder())
    folder.rename(away)
    app = create_app(services)
    with TestClient(app, base_url=LOOPBACK_URL, client=("127.0.0.1", 1), raise_server_exceptions=False) as client:
        assert client.get("/livez").status_code == 200
        ready = client.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["checks"]["models"]["reason"]
        assert client.post("/v1/session").status_code == 503
        away.rename(folder)
        deadline = time.monotonic() + 20
        while client.get("/readyz").status_code != 200 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert client.get("/readyz").status_code == 200
        assert client.post("/v1/session").status_code == 201


def test_questions_before_the_models_are_loaded_get_503(tmp_path: Path) -> None:
    services = build_services(_settings(tmp_path), embedder=HashEmbedder())
    services.prepare_storage()
    _, key = services.keys.create(AccessRole.CUSTOMER, "test")
    # Without its context manager the client does not start the application's life.
    client = TestClient(create_app(services), base_url=LOOPBACK_URL, raise_server_exceptions=False)
    headers = {"Authorization": f"Bearer {key}"}
    for path, body in (
        ("/v1/search", {"query": "hi"}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "hi"}]}),
    ):
        response = client.post(path, headers=headers, json=body)
        assert response.status_code == 503
        assert response.json()["title"] == "Server starting"
    services.close()


def test_a_bug_while_loading_is_not_swallowed(tmp_path: Path) -> None:
    class BrokenModel(ScriptedLanguageModel):
        @property
        def is_grounded(self) -> bool:
            raise ZeroDivisionError

    services = build_services(_settings(tmp_path), embedder=HashEmbedder(), language_model=BrokenModel([]))
    with pytest.raises(ZeroDivisionError):
        Startup(services).load_once()
    services.close()
