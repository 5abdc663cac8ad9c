"""Fingerprints: the texts by which stored state is recognised stay the same to the byte."""

from typing import Any

from streamapp.config.fingerprints import changes, lists_fit, reading_text, rule_text
from streamapp.config.rules import item_rule
from streamapp.config.settings import Settings
from streamapp.core.list_kinds import BOUGHT_AFTER_VIEW, BOUGHT_TOGETHER, ITEM
from streamapp.core.lists.ranking import ListRule
from streamapp.pipelines import pipelines


def test_the_rule_text_has_every_setting_of_a_list() -> None:
    """Another value is another text, so every list is published again."""
    settings = Settings(
        _env_file=None, top_n=7, damping=2.5, min_support=3, measure="jaccard", list_tolerance=0
    )
    assert item_rule(settings) == ListRule(7, 2.5, 3, "jaccard")
    text = '{"damping":2.5,"measure":"jaccard","min_support":3,"top_n":7}'
    assert rule_text(settings) == text
    assert lists_fit(text, settings)
    for another in ({"top_n": 8}, {"damping": 2.0}, {"min_support": 2}, {"measure": "cosine"}):
        assert not lists_fit(text, settings.model_copy(update=another))


def test_lists_of_a_lower_tolerance_are_right_under_a_higher_one() -> None:
    """Those of a higher one are published again; without a tolerance the text does not change."""
    exact, usual, loose = (Settings(_env_file=None, list_tolerance=one) for one in (0, 0.01, 0.1))
    assert '"min_support":1,"tolerance":0.01,"top_n":20' in rule_text(usual)
    texts = [rule_text(one) for one in (exact, usual, loose)]
    fits = [[lists_fit(text, one) for text in texts] for one in (exact, usual, loose)]
    assert fits == [[True, False, False], [True, True, False], [True, True, True]]


def test_lists_with_other_details_are_published_again() -> None:
    """In both directions; lists with details are those of before the setting."""
    full, ids = (Settings(_env_file=None, list_details=one) for one in ("full", "ids"))
    assert "details" not in rule_text(full)
    fits = [[lists_fit(rule_text(text), one) for text in (full, ids)] for one in (full, ids)]
    assert fits == [[True, False], [False, True]]


def test_the_results_of_each_pipeline_are_the_stored_texts() -> None:
    """A worker refuses state whose text differs from its own."""
    settings = Settings(_env_file=None, bought_together=True, bought_after_view=True)
    texts = {kind: pipeline.results for kind, pipeline in pipelines(settings).items()}
    assert texts == {
        ITEM: '{"event_weights":{"add_to_cart":3.0,"click":1.0,"purchase":5.0},'
        '"forget_after":0.0,"history_cap":100,"trending_half_life":86400.0,'
        '"trending_repeats":"daily"}',
        BOUGHT_TOGETHER: '{"event_weights":{"purchase":1.0},'
        '"forget_after":0.0,"history_cap":100,"trending_half_life":0.0}',
        BOUGHT_AFTER_VIEW: '{"event_weights":{"add_to_cart":1.0,"click":1.0,"purchase":1.0},'
        '"forget_after":0.0,"history_cap":200,"trending_half_life":0.0}',
    }


def test_a_feature_that_is_off_is_not_in_the_results() -> None:
    """State from before the feature still fits."""
    settings = Settings(
        _env_file=None,
        half_life=3600.0,
        catalogue_topic="goods",
        content_neighbours=True,
        bought_together=True,
    )
    main, baskets = pipelines(settings).values()
    assert '"content_neighbours":true,' in main.results
    assert "content_neighbours" not in baskets.results
    assert all('"half_life":3600.0,' in one.results for one in (main, baskets))


def test_state_from_before_the_rule_of_repeats_counted_every_one() -> None:
    """It fits `all`, or a pipeline without trending lists; the worker names what it was."""
    before = (
        '{"event_weights":{"click":1.0},"forget_after":0.0,"history_cap":100,'
        '"trending_half_life":%s}'
    )
    common: Any = {"event_weights": {"click": 1.0}, "topic_types": {}, "event_aliases": {}}
    for chosen, half_life in (
        ({"trending_repeats": "all"}, 86400.0),
        ({"trending_half_life": 0}, 0.0),
    ):
        settings = Settings(_env_file=None, **common, **chosen)
        assert pipelines(settings)[ITEM].results == before % half_life
    now = pipelines(Settings(_env_file=None, **common))[ITEM].results
    assert changes(before % 86400.0, now) == 'STREAMAPP_TRENDING_REPEATS was "all", is "daily"'


def test_the_reading_text_names_the_type_that_the_topic_implies() -> None:
    """The text of another topic differs."""
    text = reading_text(Settings(_env_file=None, event_aliases={"view": "click"}), "clicks")
    assert text == (
        '{"earliest_ts":631152000.0,"event_aliases":{"view":"click"},"key_mismatch":"refuse",'
        '"max_ahead_s":86400.0,"max_record_bytes":1048576,"topic_types":"click"}'
    )


def test_the_reading_text_names_formats_bounds_and_ignored_users_where_they_are_set() -> None:
    """Absent by default, so that positions from before these settings still fit."""
    settings = Settings(
        _env_file=None,
        event_formats={"clicks": "ga4", "purchases": "flat"},
        max_order_items=50,
        ignored_users=("undefined", "0"),
    )
    clicks, purchases = reading_text(settings, "clicks"), reading_text(settings, "purchases")
    assert '"event_formats":"ga4"' in clicks
    assert "event_formats" not in purchases
    for text in (clicks, purchases):
        assert '"ignored_users":["0","undefined"]' in text
        assert '"max_order_items":50' in text
