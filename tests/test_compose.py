"""The compose file publishes only the page, on loopback, and its scripts do what they say."""

from __future__ import annotations

import argparse
import http.server
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
OURS = ("app", "ingest", "api")
needs_bash = pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")


def unescaped(word: str) -> str:
    """A word as the container sees it: compose turns `$$` into `$`."""
    return word.replace("$$", "$")


@pytest.fixture(scope="module")
def compose_command() -> list[str]:
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]):
            version = subprocess.run([*command, "version"], capture_output=True, check=False)
            if version.returncode == 0:
                return command
    pytest.skip("neither `docker compose` nor `docker-compose` is installed")


def test_compose_itself_accepts_the_file(compose_command: list[str]) -> None:
    """`config` of Docker Compose finds no fault and lists the four services."""
    listed = subprocess.run(
        [*compose_command, "-f", ROOT / "docker-compose.yml", "config", "--services"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert listed.returncode == 0, listed.stderr
    # Some versions list the services of profiles as well.
    assert set(listed.stdout.split()) - {"vllm", "api"} == {"app", "chroma", "ingest", "ollama"}


def test_only_page_and_api_are_published_and_only_on_loopback() -> None:
    """The published ports are the page's and, where it is asked for, the API's, on 127.0.0.1."""
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}

    assert set(published) == {"app", "api"}
    assert SERVICES["api"]["profiles"] == ["api"]
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    assert all(service.get("network_mode") != "host" for service in SERVICES.values())


def test_chroma_is_reached_by_hayloft_alone() -> None:
    """Chroma stands only in a network without a way out, with nobody in it but Hayloft."""
    inside = {name for name, service in SERVICES.items() if "index" in service["networks"]}

    assert COMPOSE["networks"]["index"]["internal"] is True
    assert SERVICES["chroma"]["networks"] == ["index"]
    assert inside == {"chroma", *OURS}


def test_the_nightly_run_has_no_way_out() -> None:
    """What reads the documents cannot reach any network but Chroma's."""
    assert SERVICES["ingest"]["networks"] == ["index"]


def test_chroma_is_the_version_that_hayloft_is_pinned_to() -> None:
    """Server and client of Chroma are the same version."""
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pinned = re.search(r"^chromadb==(\S+)", pins, re.MULTILINE)

    assert pinned is not None
    assert SERVICES["chroma"]["image"] == f"chromadb/chroma:{pinned[1]}"


def test_no_image_floats() -> None:
    """No service takes whatever is newest."""
    images = [service["image"] for name, service in SERVICES.items() if name not in OURS]

    assert all(re.search(r":(\$\{\w+:-)?v?\d", image) for image in images), images


def test_a_long_window_is_asked_of_vllm_as_yarn_wants_it() -> None:
    """Four times the trained window, which is named, and cached tokens reported."""
    words = SERVICES["vllm"]["command"]
    overrides = next(word for word in words if word.startswith("--hf-overrides="))
    scaling = json.loads(overrides.partition("=")[2])["rope_scaling"]

    assert SERVICES["vllm"]["profiles"] == ["vllm"]
    assert f"--max-model-len={scaling['original_max_position_embeddings'] * 4}" in words
    assert (scaling["rope_type"], scaling["factor"]) == ("yarn", 4.0)
    assert "--enable-prompt-tokens-details" in words


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_is_watched_and_restarted(name: str) -> None:
    """Each service has a health check, comes back by itself, and keeps its log short."""
    service = SERVICES[name]

    assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert service["restart"] == "unless-stopped"
    assert service["logging"]["options"]["max-size"]


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_holds_no_privileges(name: str) -> None:
    """Each service drops all capabilities and can gain none."""
    service = SERVICES[name]

    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert not service.get("privileged", False)


@pytest.mark.parametrize("name", ["chroma", *OURS])
def test_the_root_file_system_is_read_only(name: str) -> None:
    """Chroma and Hayloft write to their volumes and to a temporary /tmp, nowhere else."""
    service = SERVICES[name]

    assert service["read_only"] is True
    assert any(mount.startswith("/tmp") for mount in service["tmpfs"])


def test_every_volume_that_is_used_is_declared_and_the_other_way_round() -> None:
    """Named volumes and their declarations agree."""
    sources = [
        mount.rsplit(":/", 1)[0] for service in SERVICES.values() for mount in service["volumes"]
    ]
    named = {source for source in sources if re.fullmatch(r"\w+", source)}

    assert named == set(COMPOSE["volumes"])


def test_the_page_starts_with_the_address_it_is_given() -> None:
    """The page's command is one that `hayloft ui` accepts for all addresses of the container."""
    from app.cli_ui import configure, refuse_open_address

    parser = argparse.ArgumentParser()
    configure(parser)
    program, command, *words = SERVICES["app"]["command"]
    args = parser.parse_args(words)

    refuse_open_address(
        SERVICES["app"]["environment"]["HAYLOFT_UI_ADDRESS"], shared=args.share_without_login
    )
    assert (program, command) == ("hayloft", "ui")
    assert SERVICES["app"]["ports"][0].endswith(f":{args.port or 8501}")


def test_the_api_starts_with_the_port_it_is_given() -> None:
    """Its command is one that `hayloft serve` accepts, on the port that is published."""
    from app.cli_serve import configure

    parser = argparse.ArgumentParser()
    configure(parser)
    program, command, *words = SERVICES["api"]["command"]
    parser.parse_args(words)

    assert (program, command) == ("hayloft", "serve")
    port = SERVICES["api"]["environment"]["HAYLOFT_SERVE_PORT"]
    assert [p.rpartition(":")[2] for p in SERVICES["api"]["ports"]] == [port]
    assert f":{port}/" in SERVICES["api"]["healthcheck"]["test"][-1]


@pytest.mark.parametrize("name", ["app", "api"])
def test_a_proxy_in_front_can_ask_by_its_name(name: str) -> None:
    """Both refuse names that they do not know: the one variable names it to both."""
    from app.cli_serve import configure as configure_serve
    from app.cli_ui import configure as configure_ui

    parser = argparse.ArgumentParser()
    {"app": configure_ui, "api": configure_serve}[name](parser)
    words = SERVICES[name]["command"][2:]

    named = parser.parse_args(words).host_name
    assert named == ["${HAYLOFT_HOST_NAME:-localhost}"]


@pytest.mark.parametrize("name", OURS)
def test_all_tell_the_time_of_one_zone(name: str) -> None:
    """A run at half past two is one at half past two on the page as well."""
    assert SERVICES[name]["environment"]["TZ"] == "${TZ:-UTC}"


@pytest.mark.parametrize("name", OURS)
def test_documents_are_mounted_read_only(name: str) -> None:
    """Hayloft can read the documents and never write them; by default they are the samples."""
    documents = [mount for mount in SERVICES[name]["volumes"] if ":/documents" in mount]

    assert documents == ["${HAYLOFT_DOCUMENTS:-./samples/library}:/documents:ro"]
    assert (ROOT / "samples" / "library").is_dir()


@pytest.mark.parametrize("name", OURS)
def test_hayloft_waits_for_a_healthy_chroma(name: str) -> None:
    """Page and ingestion start when Chroma answers, and know where it is."""
    service = SERVICES[name]

    assert service["depends_on"]["chroma"]["condition"] == "service_healthy"
    assert service["environment"]["HAYLOFT_CHROMA_URL"] == "http://chroma:8000"


def test_every_variable_that_is_set_is_a_setting() -> None:
    """No HAYLOFT_ variable of the two services is misspelt."""
    from app.auth_settings import AuthSettings
    from app.settings import AppSettings
    from ingest.settings import IngestSettings
    from storage.settings import StorageSettings

    known = {
        f"HAYLOFT_{name.upper()}"
        for settings in (AppSettings, AuthSettings, IngestSettings, StorageSettings)
        for name in settings.model_fields
    }
    used = {
        name
        for service in OURS
        for name in SERVICES[service]["environment"]
        if name.startswith("HAYLOFT_")
    }

    assert used - known == {"HAYLOFT_INGEST_AT"}


def test_page_and_api_are_told_the_same() -> None:
    """Which model answers, from where, and whether somebody has to sign in: one library, one way
    to answer from it."""
    app, api = (dict(SERVICES[name]["environment"]) for name in ("app", "api"))

    for own in ("HAYLOFT_UI_ADDRESS", "HAYLOFT_UI_PORT"):
        del app[own]
    for own in ("HAYLOFT_SERVE_ADDRESS", "HAYLOFT_SERVE_PORT"):
        del api[own]
    assert app == api


def test_every_variable_of_the_file_is_explained() -> None:
    """What can be set from outside stands in the operations guide, with its default."""
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    guide = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    table = guide[guide.index("## Docker Compose") : guide.index("## A new version")]
    rows = [line for line in table.splitlines() if line.startswith("|")]
    used = set(re.findall(r"(?<!\$)\$\{(\w+):-([^}]*)\}", text))

    assert len(used) > 10
    for name, default in sorted(used):
        (row,) = [row for row in rows if f"`{name}`" in row.split("|")[1]]
        assert not default or f"`{default}`" in row, name


def test_the_image_is_run_by_an_ordinary_user_from_the_pinned_packages() -> None:
    """The Dockerfile installs under the constraints and ends as a user that is not root."""
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    installs = [
        command
        for line in lines
        if line.startswith("RUN ")
        for command in line.split("&&")
        if "pip install" in command
    ]

    assert users == ["hayloft"]
    assert len(installs) == 3
    assert all("-c constraints.txt" in command or "-e ." in command for command in installs)


def test_the_build_context_holds_what_the_image_needs_and_no_more() -> None:
    """Every package stands in the build context; data, tests and the environment do not."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    kept = {line[1:] for line in lines if line.startswith("!")}

    assert "*" in lines
    assert kept >= {"app", "evaluation", "ingest", "storage", "hayloft.py", "constraints.txt"}
    assert not kept & {"data", "tests", ".venv", ".git", ".env"}


@contextmanager
def answering(status: int) -> Iterator[int]:
    """A server on a loopback port that answers everything with one status; its port."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/api/v2/heartbeat" else 404)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def chroma_check(port: int) -> int:
    """Exit status of Chroma's health check against a port of this machine."""
    _, *command = (unescaped(word) for word in SERVICES["chroma"]["healthcheck"]["test"])
    command[-1] = command[-1].replace("/127.0.0.1/8000", f"/127.0.0.1/{port}")
    return subprocess.run(command, capture_output=True, timeout=10, check=False).returncode


@needs_bash
def test_the_check_of_chroma_tells_well_from_ill() -> None:
    """Bash alone sees a Chroma that is well, one that answers with an error, and none at all."""
    with answering(200) as well:
        assert chroma_check(well) == 0
    with answering(503) as ill:
        assert chroma_check(ill) != 0
    assert chroma_check(well) != 0


class Nights:
    """The nightly loop, run for real, with a clock that moves only while it sleeps.

    `hayloft`, `sleep` and `date` are small scripts: each run ends with the next
    of the statuses in `todo`, and when none is left the loop is told to end.
    Naps are stretched to half an hour, or to `naps` seconds. While it works, a
    run makes the note of the last good one look more than a day old.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.naps = 1800
        self.zone = "UTC"
        self.last_good = folder / "last-good"

    def run(self, *statuses: int, start: str, at: str = "02:30") -> list[str]:
        """When the runs took place ("2026-11-20 14:00"), the one told to end included."""
        zone = {"TZ": self.zone}
        clock = subprocess.check_output(["date", "-d", start, "+%s"], text=True, env=zone)
        (self.folder / "clock").write_text(clock)
        (self.folder / "todo").write_text("".join(f"{status}\n" for status in statuses))
        (self.folder / "runs").write_text("")
        self._script(
            "hayloft",
            'date "+%F %R" >> runs; echo "$*" >> arguments',
            "read -r status < todo || { kill -TERM $PPID; exec tail -f /dev/null; }",
            'sed -i 1d todo; touch -d "28 hours ago" last-good; exit $status',
        )
        self._script(
            "sleep", f"echo $(( $(cat clock) + ($1 > {self.naps} ? $1 : {self.naps}) )) > clock"
        )
        self._script("date", f'exec {shutil.which("date")} -d "@$(cat clock)" "$@"')
        shell, option, script = (unescaped(word) for word in SERVICES["ingest"]["command"])
        self.ended = subprocess.run(
            [shell, option, script.replace("/tmp/last-good", str(self.last_good))],
            env=zone | {"PATH": f"{self.folder}:{os.environ['PATH']}", "HAYLOFT_INGEST_AT": at},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return (self.folder / "runs").read_text().splitlines()

    def _script(self, name: str, *lines: str) -> None:
        path = self.folder / name
        path.write_text("\n".join(["#!/bin/bash", f'cd "{self.folder}"', *lines, ""]))
        path.chmod(0o755)


@needs_bash
def test_the_documents_are_read_at_the_start_and_then_every_night(tmp_path: Path) -> None:
    """The first run comes at once, the next ones at their hour; SIGTERM ends run and loop."""
    nights = Nights(tmp_path)

    runs = nights.run(0, 0, start="2026-11-20 14:00")

    assert runs == ["2026-11-20 14:00", "2026-11-21 02:30", "2026-11-22 02:30"]
    assert set((tmp_path / "arguments").read_text().splitlines()) == {"ingest /documents"}
    assert nights.ended.returncode == 0


@needs_bash
def test_a_start_before_the_hour_does_not_use_up_the_night(tmp_path: Path) -> None:
    """Started at one in the morning, the loop still runs at half past two."""
    runs = Nights(tmp_path).run(0, start="2026-11-20 01:00")

    assert runs == ["2026-11-20 01:00", "2026-11-20 02:30"]


@needs_bash
@pytest.mark.parametrize("status", [2, 77, 130, 139])
def test_a_failed_run_does_not_end_the_nights(tmp_path: Path, status: int) -> None:
    """After a run that failed, or crashed, the next one comes at its hour."""
    nights = Nights(tmp_path)

    runs = nights.run(status, start="2026-11-20 14:00")

    assert runs == ["2026-11-20 14:00", "2026-11-21 02:30"]
    assert f"ended with status {status}" in nights.ended.stdout


@needs_bash
@pytest.mark.parametrize("status", [69, 74, 75])
def test_a_missing_service_is_tried_again_soon(tmp_path: Path, status: int) -> None:
    """Where a service is missing, the disk full or the lock held, ten minutes are waited."""
    nights = Nights(tmp_path)
    nights.naps = 1

    runs = nights.run(status, status, start="2026-11-20 14:00")

    assert runs == ["2026-11-20 14:00", "2026-11-20 14:10", "2026-11-20 14:20"]


@needs_bash
def test_a_machine_asleep_at_the_hour_catches_up(tmp_path: Path) -> None:
    """A night slept through is made good on waking, once."""
    nights = Nights(tmp_path)
    nights.naps = 9 * 3600

    runs = nights.run(0, 0, start="2026-11-20 20:00")

    assert runs == ["2026-11-20 20:00", "2026-11-21 05:00", "2026-11-22 08:00"]


@needs_bash
def test_an_hour_that_summer_time_skips_is_made_good(tmp_path: Path) -> None:
    """On the night without a half past two the run comes at three."""
    nights = Nights(tmp_path)
    nights.zone = "Europe/Berlin"

    runs = nights.run(0, 0, start="2026-03-28 23:00")

    assert runs == ["2026-03-28 23:00", "2026-03-29 03:00", "2026-03-30 02:30"]


@needs_bash
def test_an_hour_that_comes_twice_is_used_once(tmp_path: Path) -> None:
    """On the night with two half past twos there is one run."""
    nights = Nights(tmp_path)
    nights.zone = "Europe/Berlin"

    runs = nights.run(0, 0, start="2026-10-24 23:00")

    assert runs == ["2026-10-24 23:00", "2026-10-25 02:30", "2026-10-26 02:30"]


@needs_bash
def test_a_time_that_is_none_is_refused(tmp_path: Path) -> None:
    """A wrong HAYLOFT_INGEST_AT ends the service with a sentence, before anything is read."""
    nights = Nights(tmp_path)

    runs = nights.run(start="2026-11-20 14:00", at="25:00")

    assert runs == []
    assert nights.ended.returncode == 2
    assert "HAYLOFT_INGEST_AT is '25:00'" in nights.ended.stderr


@needs_bash
@pytest.mark.parametrize(("status", "healthy"), [(0, True), (1, True), (2, False), (77, False)])
def test_the_service_is_healthy_while_its_runs_are_good(
    tmp_path: Path, status: int, healthy: bool
) -> None:
    """A run that ended with 0 or 1 renews the health of the service, any other does not."""
    nights = Nights(tmp_path)
    nights.run(status, start="2026-11-20 14:00")
    kind, command = SERVICES["ingest"]["healthcheck"]["test"]

    check = command.replace("/tmp/last-good", str(nights.last_good))
    found = subprocess.run(["sh", "-c", check], capture_output=True, check=False)
    assert kind == "CMD-SHELL"
    assert (found.returncode == 0) is healthy
