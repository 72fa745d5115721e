"""What a result says about how it was made."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest

from app.settings import AppSettings
from evaluation.provenance import (
    commit_of,
    describe,
    library_fingerprint,
    public_settings,
    versions,
)
from ingest.settings import IngestSettings
from storage.records import DocumentSummary
from storage.settings import StorageSettings


@pytest.fixture
def repository(tmp_path):
    def git(*arguments):
        identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True)

    git("init", "-q")
    (tmp_path / "file").write_text("one")
    git("add", "file")
    git("commit", "-q", "-m", "first")
    return tmp_path


def test_a_clean_tree_is_its_commit(repository):
    """The commit's full id, and not dirty."""
    commit = commit_of(repository)

    assert len(commit.id) == 40
    assert commit.dirty is False


def test_a_changed_file_and_a_new_file_each_make_the_tree_dirty(repository):
    """An untracked module can change a result as much as an edited one."""
    (repository / "new").write_text("two")
    assert commit_of(repository).dirty is True

    (repository / "new").unlink()
    (repository / "file").write_text("changed")
    assert commit_of(repository).dirty is True


def test_a_folder_inside_another_repository_claims_no_commit(repository):
    """An installed copy must not carry the commit of the project it is installed in."""
    inner = repository / "site-packages"
    inner.mkdir()

    assert commit_of(inner).id is None
    assert commit_of(inner).dirty is None


def test_no_git_is_no_commit(repository, monkeypatch, tmp_path):
    """Without the git program, and without a commit, the result says nothing of it."""
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))

    assert commit_of(repository).id is None


def test_a_repository_without_a_commit_has_none(tmp_path):
    """A tree before its first commit is dirty at best."""
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)

    assert commit_of(tmp_path).id is None


def test_secrets_never_reach_a_result(monkeypatch):
    """Tokens, keys and logins in URLs are told as set or left out."""
    storage = StorageSettings(
        chroma_token="s3cret-token", chroma_url="https://user:s3cret@chroma:8000/x?key=s3cret"
    )
    app = AppSettings(
        openai_api_key="s3cret-key",
        openai_url="http://s3cret@host/v1",
        ollama_url="http://u:s3cret@h:1",
    )

    shown = public_settings(storage, app, IngestSettings())

    assert "s3cret" not in repr(shown)
    assert shown["HAYLOFT_CHROMA_TOKEN"] == "set"
    assert shown["HAYLOFT_OPENAI_API_KEY"] == "set"
    assert shown["HAYLOFT_CHROMA_URL"] == "https://chroma:8000/x"
    assert shown["HAYLOFT_OLLAMA_URL"] == "http://h:1"


def test_a_secret_that_is_not_set_is_told_so():
    """An empty token is told as not set, and a count of tokens is no secret."""
    shown = public_settings(StorageSettings(chroma_token=""), IngestSettings(chunk_tokens=99))

    assert shown["HAYLOFT_CHROMA_TOKEN"] == "not set"
    assert shown["HAYLOFT_CHUNK_TOKENS"] == 99


def test_versions_name_what_is_not_installed():
    """A package that is absent is null, not left out."""
    assert versions(["pytest", "no-such-package"]) == {
        "pytest": pytest.__version__,
        "no-such-package": None,
    }


def test_the_fingerprint_follows_the_content_and_not_the_order_or_the_place():
    """The same documents give the same fingerprint wherever and whenever they came in."""
    one = DocumentSummary(1, "a.pdf", "/docs", "A", 2, 6, 1000, 2000, True, 1.0)
    two = DocumentSummary(2, "b.pdf", "/docs", "B", 3, 9, 1500, 3000, True, 2.0)
    moved = replace(one, document_id=9, source_root="/elsewhere", ingested_at=5.0)

    assert library_fingerprint([one, two]) == library_fingerprint([two, moved])
    assert library_fingerprint([one, two]) != library_fingerprint([one, replace(two, chunks=8)])
    assert library_fingerprint([one, two]) != library_fingerprint([one])


def test_a_description_holds_all_that_a_result_records():
    """Commit, dirtiness, versions, machine and settings, and what the caller adds."""
    record = describe([StorageSettings()], {"seed": 7})

    assert {"commit", "dirty", "versions", "machine", "settings", "seed"} <= set(record)
    assert record["machine"]["cores"] >= 1
    assert record["versions"]["chromadb"]
