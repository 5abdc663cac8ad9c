"""The compose file and the image, checked without a Docker engine."""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from streamapp.config.env_check import PREFIX
from streamapp.config.settings import Settings

PROJECT = Path(__file__).parents[3]
COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
IMAGE = (PROJECT / "Dockerfile").read_text()
POM = PROJECT / "tests" / "servers" / "pom.xml"

VERSION = re.compile(r"[a-z/]+:\d+\.\d+\.\d+(-[a-z]+)*")


def addresses(text: str) -> dict[str, tuple[str, int]]:
    """Return host and port by listener, of Kafka's `NAME://host:port,...`."""
    found = re.findall(r"(\w+)://([\w.]*):(\d+)", text)
    assert len(found) == len(text.split(","))
    return {name: (host, int(port)) for name, host, port in found}


def published(service: str) -> list[tuple[str, int, int]]:
    """Return the address, port outside and port inside that a service publishes."""
    ports = [port.split(":") for port in SERVICES[service].get("ports", ())]
    return [(host, int(outside), int(inside)) for host, outside, inside in ports]


def test_the_project_has_a_name_and_no_version() -> None:
    """The name makes volumes and containers recognisable; a version is obsolete."""
    assert COMPOSE["name"] == "streamapp"
    assert "version" not in COMPOSE


@pytest.mark.parametrize("service", SERVICES)
def test_images_are_pinned_to_a_patch_version(service: str) -> None:
    """An image from a registry has a full version; any other image is built here."""
    one = SERVICES[service]

    assert one.get("build") == "." or VERSION.fullmatch(one["image"])


def test_the_image_of_the_app_stands_on_a_pinned_one() -> None:
    """The Dockerfile starts from a full version, and no command runs as root at the end."""
    lines = IMAGE.splitlines()

    assert VERSION.fullmatch(lines[0].removeprefix("FROM "))
    assert sum(line.startswith("FROM ") for line in lines) == 1
    assert lines.index("USER streamapp") < lines.index('ENTRYPOINT ["streamapp"]')


def test_kafka_is_the_version_that_the_tests_run() -> None:
    """The backend `kafka` and the container are one version of Kafka."""
    version = re.search(r"<artifactId>kafka_.*\n\s*<version>(.*)</version>", POM.read_text())

    assert version is not None
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{version[1]}"


@pytest.mark.parametrize("service", SERVICES)
def test_ports_are_published_to_this_machine_only(service: str) -> None:
    """Neither Kafka nor Redis asks for a password, so only this machine may reach them."""
    assert all(host == "127.0.0.1" for host, _, _ in published(service))


@pytest.mark.parametrize("service", SERVICES)
def test_what_runs_on_has_a_health_check(service: str) -> None:
    """A service has a check of its own or its image's; the one that ends has none."""
    check = SERVICES[service].get("healthcheck", {})

    assert check.get("disable", False) == (service == "topics")
    assert check or (SERVICES[service]["build"] == "." and "\nHEALTHCHECK " in IMAGE)


def test_services_wait_for_what_they_need() -> None:
    """A worker starts when both servers are healthy and the topics exist."""
    waits = {
        (service, needed): how["condition"]
        for service, one in SERVICES.items()
        for needed, how in one.get("depends_on", {}).items()
    }

    assert waits == {
        ("topics", "kafka"): "service_healthy",
        ("worker", "kafka"): "service_healthy",
        ("worker", "redis"): "service_healthy",
        ("worker", "topics"): "service_completed_successfully",
    }


@pytest.mark.parametrize("service", ["topics", "worker"])
def test_every_setting_exists_and_names_a_service(service: str) -> None:
    """A misspelt variable would be ignored; a wrong host would be found out only in a container."""
    environment = SERVICES[service]["environment"]
    listeners = addresses(SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"])

    names = {name.removeprefix(PREFIX).lower() for name in environment}
    assert all(name.startswith(PREFIX) for name in environment)
    assert names <= set(Settings.model_fields)
    host, port = listeners["CONTAINERS"]
    assert environment["STREAMAPP_BROKER_URL"] == f"kafka://{host}:{port}"
    assert environment["STREAMAPP_REDIS_URL"] == "redis://redis:6379/0"


def test_the_defaults_of_the_settings_reach_the_published_ports() -> None:
    """From this machine, the app finds the containers without any setting."""
    fields = Settings.model_fields
    (_, kafka, _), (_, redis, _) = *published("kafka"), *published("redis")

    assert fields["broker_url"].default == f"kafka://127.0.0.1:{kafka}"
    assert fields["redis_url"].default == f"redis://127.0.0.1:{redis}/0"


def test_the_listeners_of_kafka_fit_together() -> None:
    """Every listener is bound, mapped, and advertised where its clients can reach it."""
    environment = SERVICES["kafka"]["environment"]
    bound = addresses(environment["KAFKA_LISTENERS"])
    advertised = addresses(environment["KAFKA_ADVERTISED_LISTENERS"])
    protocols = environment["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(",")
    controller = environment["KAFKA_CONTROLLER_LISTENER_NAMES"]

    assert set(bound) == {name.split(":")[0] for name in protocols}
    assert set(advertised) == set(bound) - {controller}
    assert environment["KAFKA_INTER_BROKER_LISTENER_NAME"] in advertised
    assert len({port for _, port in bound.values()}) == len(bound)
    voter = f"{environment['KAFKA_NODE_ID']}@kafka:{bound[controller][1]}"
    assert environment["KAFKA_CONTROLLER_QUORUM_VOTERS"] == voter
    assert advertised["CONTAINERS"] == ("kafka", bound["CONTAINERS"][1])
    assert [(*advertised["HOST"], bound["HOST"][1])] == published("kafka")


def test_redis_keeps_the_state() -> None:
    """Redis evicts nothing and appends every write to a file on a volume."""
    options = dict(pairwise(SERVICES["redis"]["command"]))

    assert options["--maxmemory-policy"] == "noeviction"
    assert options["--appendonly"] == "yes"
    assert SERVICES["redis"]["volumes"] == ["redis:/data"]
    assert "redis" in COMPOSE["volumes"]
