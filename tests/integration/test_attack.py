"""The hardened profile of `docs/security.md` against a script and made-up users."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson

from tests.integration.traffic import Sent, audited, event, produce, redis_lists
from tests.servers.deployment import Deployment
from tests.servers.worker import Worker

StartWorker = Callable[..., Worker]

DOCS = Path(__file__).parents[2] / "docs"
DAY_S = 86_400.0
NOW = 1_700_006_400.0
"""The beginning of a UTC day."""

BUYERS = {"hot": 700, "b": 470, "c": 340, "d": 250, "e": 190, "f": 150, "g": 125}
"""How many honest users buy each item; an item's buyers have all items before it."""

SPAM = '</script>"spam'
SCRIPT = "script"
MADE_UP = [f"made-up-{number}" for number in range(100)]


def profile() -> dict[str, str]:
    """Return the settings of the hardened profile."""
    block = re.search(r"```sh\n(.*?)```", (DOCS / "security.md").read_text(), re.DOTALL)
    assert block
    return dict(line.split("=", 1) for line in block[1].splitlines())


def honest() -> Iterator[Sent]:
    """Yield what a shop sells in a day."""
    for item, buyers in BUYERS.items():
        for buyer in range(buyers):
            yield event(f"honest-{buyer}", item, type="purchase", ts=NOW + buyer)


def attack() -> Iterator[Sent]:
    """Yield 10,000 events of one user, and those of made-up users."""
    yield event(SCRIPT, "hot", ts=NOW)
    for number in range(60):
        yield event(SCRIPT, SPAM, type="purchase", ts=NOW - (60 - number) * DAY_S)
    for number in range(6_939):
        yield event(SCRIPT, SPAM, type=("click", "purchase")[number % 2], ts=NOW + number)
    for number in range(3_000):
        # More items than a history holds: each of them comes back as a new one.
        yield event(SCRIPT, f"junk-{number % 150}", ts=NOW + 7_000 + number)
    for user in MADE_UP:
        yield event(user, "hot", ts=NOW)
        yield event(user, SPAM, type="purchase", ts=NOW + 1)
        yield event(user, SPAM, ts=NOW + 2)


def members(deployment: Deployment) -> dict[str, list[str]]:
    """Return the items of every list, without the lists of the attackers themselves."""
    own = {f"user:{user}" for user in (SCRIPT, *MADE_UP)}
    return {
        name: [entry["id"] for entry in orjson.loads(content)["items"]]
        for name, content in redis_lists(deployment).items()
        if name not in own
    }


async def test_a_script_and_a_hundred_made_up_users_leave_no_trace(
    deployment: Deployment, worker: StartWorker, tmp_path: Path
) -> None:
    """Neither in what trends nor in any list of an item or of another user."""
    deployment.env |= profile() | {"STREAMAPP_TOP_N": "5"}
    worker()
    log = tmp_path / "events.jsonl"
    sent: list[Sent] = []

    async def settled(more: list[Sent]) -> dict[str, list[str]]:
        await produce(deployment, more)
        sent.extend(more)
        log.write_bytes(b"".join((one.value or b"") + b"\n" for one in sent))
        audited(deployment, [log])
        return members(deployment)

    before = await settled(list(honest()))
    assert before["trending"] == ["hot", "b", "c", "d", "e"]
    assert len(before["item:g"]) == 5
    by_script = [one for one in attack() if one.key == SCRIPT.encode()]
    assert len(by_script) == 10_000
    after = await settled(list(attack()))
    assert {name: after[name] for name in after if not name.startswith("user:")} == {
        name: before[name] for name in before if not name.startswith("user:")
    }
    assert after.keys() == before.keys()
    shown = {item for items in after.values() for item in items}
    assert shown <= BUYERS.keys()
