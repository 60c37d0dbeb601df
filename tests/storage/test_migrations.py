"""Databases that already hold something are brought up to date with it."""

from __future__ import annotations

from secrets import token_hex

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, text

from domain.models import SHIPPED_MODEL_ID
from storage import engine as engines
from storage.engine import create_database_engine, upgrade_schema
from storage.generations import GenerationStore
from storage.models import ModelStore
from storage.transactions import reading, writing
from tests.postgres import PostgresServer


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def first_schema(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """A database at revision 0001 with a live index generation in it."""
    if request.param == "sqlite":
        engine = create_database_engine(f"sqlite:///{tmp_path_factory.mktemp('old') / 'answerdesk.db'}")
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        engine = create_database_engine(server.create_database(f"first_schema_{token_hex(4)}"))
    config = Config()
    config.set_main_option("script_location", str(engines._MIGRATIONS))
    config.set_main_option("path_separator", "os")
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        generation = "'g1', 7, 'sha', 'minilm', 3, '{}', '2026-03-29 01:30:00'"
        connection.execute(text(f"INSERT INTO generations VALUES ({generation})"))
        connection.execute(text("UPDATE live_generation SET live_id = 'g1'"))
    return engine


def test_the_model_registry_is_added_to_a_database_in_use(first_schema: Engine) -> None:
    upgrade_schema(first_schema)
    live = GenerationStore(first_schema).live()
    assert live is not None
    assert (live.generation_id, live.revision) == ("g1", 7)
    assert ModelStore(first_schema).live().model_id == SHIPPED_MODEL_ID
    with reading(first_schema) as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == ["0004"]
    first_schema.dispose()


def test_versions_from_before_the_format_was_kept_have_the_first_one(first_schema: Engine) -> None:
    with writing(first_schema) as connection:
        document = "'d1', 'shop', 'a.md', 'A', 'text/plain', 1, 'sha', 1, 1, 'ready', NULL, 0, :now, :now"
        moment = {"now": "2026-03-29 01:30:00"}
        connection.execute(text(f"INSERT INTO documents VALUES ({document})"), moment)
        connection.execute(text("INSERT INTO document_versions VALUES ('d1', 1, 'a.md', 'A', 'Text.', :now)"), moment)
    upgrade_schema(first_schema)
    with reading(first_schema) as connection:
        assert connection.execute(text("SELECT passage_format FROM document_versions")).scalars().all() == [1]
    first_schema.dispose()
