"""Settings: every impossible value stops the program with a line that helps."""

from pathlib import Path
from typing import NoReturn

import pytest
from pydantic import ValidationError

from streamapp.config.loader import load_settings
from streamapp.config.rules import event_rules
from streamapp.config.settings import Settings
from streamapp.errors import ConfigError
from streamapp.transport.connection import broker_addresses


@pytest.fixture(autouse=True)
def fresh_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    """Load the settings again in every test, away from any `.env` file."""
    monkeypatch.chdir(str(tmp_path))
    load_settings.cache_clear()


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("STREAMAPP_HISTORY_CAP", "0", "greater than or equal to 1"),
        ("STREAMAPP_TOP_N", "many", "valid integer"),
        ("STREAMAPP_MEASURE", "lift", "'cosine', 'jaccard' or 'confidence'"),
        ("STREAMAPP_BROKER_URL", "localhost:9092", "kafka://host:port"),
        ("STREAMAPP_REDIS_URL", "http://localhost", "redis://host:port/db"),
        ("STREAMAPP_EVENT_WEIGHTS", "click=0", "over 0"),
        ("STREAMAPP_EVENT_WEIGHTS", '{"click": ', "not JSON"),
        ("STREAMAPP_EVENT_TOPICS", "clicks,clicks", "distinct"),
        ("STREAMAPP_EVENT_ALIASES", "look=glance", "no weight for glance"),
        ("STREAMAPP_CATALOGUE_TOPIC", "clicks", "a topic of its own"),
        ("STREAMAPP_LISTS_TOPIC", "clicks", "clicks is named twice"),
        ("STREAMAPP_DELTAS_TOPIC", "streamapp-interactions", "a topic of its own"),
        ("STREAMAPP_EARLIEST_TS", "nan", "finite"),
        ("STREAMAPP_DAMPING", "inf", "finite"),
        ("STREAMAPP_CATALOGUE_TOPIC", "goods:all", "pattern"),
        ("STREAMAPP_CONTENT_NEIGHBOURS", "true", "needs a CATALOGUE_TOPIC"),
        ("STREAMAPP_STATE_PREFIX", "a{b}", "pattern"),
        ("STREAMAPP_BOUGHT_TOGETHER", "sometimes", "valid boolean"),
        ("STREAMAPP_BOUGHT_AFTER_VIEW", "seldom", "valid boolean"),
        ("STREAMAPP_LIST_PREFIX", "streamapp:lists:", "must lie under the other"),
        ("STREAMAPP_STATE_PREFIX", "recs:v1:state:", "must lie under the other"),
        ("STREAMAPP_BROKER_URL", "kafka://host:port", "kafka://host:port"),
        ("STREAMAPP_BROKER_URL", "kafka://a:9092,b:99999", "kafka://host:port"),
        ("STREAMAPP_BROKER_URL", "kafka://a:9092,,b:9092", "kafka://host:port"),
        ("STREAMAPP_BROKER_URL", "kafka://a:9092,http://b:9092", "kafka://host:port"),
        ("STREAMAPP_BROKER_URL", "kafka://a:9092/topic", "kafka://host:port"),
        ("STREAMAPP_REDIS_URL", "redis://localhost:99999", "from 1 to 65535"),
        ("STREAMAPP_REDIS_URL", "redis://localhost:port/0", "from 1 to 65535"),
        ("STREAMAPP_REDIS_URL", "redis://localhost/first", "a number as db"),
        ("STREAMAPP_REDIS_URL", "redis://localhost/0?decode_responses=true", "decode_responses"),
        ("STREAMAPP_REDIS_URL", "unix:///redis?db=0&retry=", "the app chooses retry itself"),
        ("STREAMAPP_EVENT_TOPICS", "clicks,a b", "STREAMAPP_EVENT_TOPICS='a b': .* pattern"),
        ("STREAMAPP_EVENT_TOPICS", "clicks," + "x" * 201, "pattern"),
        ("STREAMAPP_EVENT_TOPICS", "..", "Kafka has no topic of this name"),
        ("STREAMAPP_CATALOGUE_TOPIC", ".", "Kafka has no topic of this name"),
        ("STREAMAPP_LISTS_TOPIC", ".", "Kafka has no topic of this name"),
        (
            "STREAMAPP_EVENT_TOPICS",
            "web,web.dlq",
            "web.dlq is the topic of the dead letters of web",
        ),
        ("STREAMAPP_LISTS_TOPIC", "purchases.dlq", "dead letters of purchases"),
        ("STREAMAPP_DELTAS_TOPIC", "clicks.dlq", "dead letters of clicks"),
        ("STREAMAPP_CATALOGUE_TOPIC", "clicks.dlq", "dead letters of clicks"),
        ("STREAMAPP_LIST_TOLERANCE", "1", "less than 1"),
        ("STREAMAPP_LIST_TOLERANCE", "-0.01", "greater than or equal to 0"),
        ("STREAMAPP_LOG_LEVEL", "loud", "'debug', 'info', 'warning' or 'error'"),
    ],
)
def test_an_impossible_value_names_the_variable_and_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, hint: str
) -> None:
    """One line: the variable where there is one, the value, and what is allowed."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=hint) as caught:
        load_settings()
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_no_topic_is_an_internal_one_of_a_further_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named by no setting, and is there while the kind is switched on."""
    monkeypatch.setenv("STREAMAPP_LISTS_TOPIC", "streamapp-deltas-bought-after-view")
    monkeypatch.setenv("STREAMAPP_BOUGHT_AFTER_VIEW", "true")
    with pytest.raises(ConfigError, match="streamapp-deltas-bought-after-view is named twice"):
        load_settings()


def test_no_topic_is_that_of_the_dead_letters_of_the_catalogue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The worker writes dead letters of products too."""
    monkeypatch.setenv("STREAMAPP_CATALOGUE_TOPIC", "goods")
    monkeypatch.setenv("STREAMAPP_INTERACTIONS_TOPIC", "goods.dlq")
    with pytest.raises(ConfigError, match="dead letters of goods"):
        load_settings()


@pytest.mark.parametrize(
    "url",
    [
        "kafka://user:s3cret@a:9092",
        "kafka://user:s3c/ret@a:9092",
        "user:s3cret@a:9092",
        "kafka://a:9092,user:s3cret@b:9092",
        "kafka://us@er:s3c@ret@a:9092",
        "kafka://a:9092?sasl_password=s3cret",
        "kafka://a:9092/?user=u&sasl_password=s3cr@et",
        "sasl_ssl://a:9092?sasl_password=s3cret",
    ],
)
def test_credentials_in_the_url_of_the_brokers_are_refused_and_hidden(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """The URL gets into logs."""
    monkeypatch.setenv("STREAMAPP_BROKER_URL", url)
    with pytest.raises(ConfigError, match=r"BROKER_URL=.* needed") as caught:
        load_settings()
    assert "s3c" not in str(caught.value)
    assert "ret" not in str(caught.value)


def test_credentials_of_redis_are_hidden_wherever_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In front of the host, and among the options."""
    for url in ("redis://u:s3cret@h:99999/0", "redis://h:99999/0?password=s3cret&username=u"):
        load_settings.cache_clear()
        monkeypatch.setenv("STREAMAPP_REDIS_URL", url)
        with pytest.raises(ConfigError, match="h:99999/0") as caught:
            load_settings()
        assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["kafka://a:1,b:2", "kafka://a:1,kafka://b:2", "kafka://a:1, kafka://b:2/"]
)
def test_several_brokers_may_each_have_the_scheme(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """As Faust writes them, and as Kafka does."""
    monkeypatch.setenv("STREAMAPP_BROKER_URL", url)
    assert broker_addresses(load_settings()) == ["a:1", "b:2"]
    assert load_settings().broker_url == "kafka://a:1,b:2"


@pytest.mark.parametrize("level", ["INFO", "Info", "info"])
def test_a_log_level_is_read_in_any_case(monkeypatch: pytest.MonkeyPatch, level: str) -> None:
    """Most programs write it in capitals."""
    monkeypatch.setenv("STREAMAPP_LOG_LEVEL", level)
    assert load_settings().log_level == "info"


def test_a_misspelt_variable_is_refused_with_the_name_that_was_meant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A setting that no code reads would be believed to work."""
    monkeypatch.setenv("STREAMAPP_HISTORYCAP", "5")
    with pytest.raises(ConfigError, match="did you mean STREAMAPP_HISTORY_CAP"):
        load_settings()


def test_lists_and_pairs_are_written_with_commas_or_as_json(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both forms mean the same."""
    monkeypatch.setenv("STREAMAPP_EVENT_TOPICS", "web, app")
    monkeypatch.setenv("STREAMAPP_EVENT_WEIGHTS", "click=1, purchase=4.5,add_to_cart=2")
    settings = load_settings()
    assert settings.event_topics == ("web", "app")
    assert settings.event_weights == {"click": 1, "purchase": 4.5, "add_to_cart": 2}
    monkeypatch.setenv("STREAMAPP_EVENT_WEIGHTS", '{"click": 1, "purchase": 4.5, "add_to_cart": 2}')
    load_settings.cache_clear()
    assert load_settings() == settings


def test_settings_cannot_be_changed_afterwards() -> None:
    """A validated setting cannot become invalid."""
    with pytest.raises(ValidationError):
        Settings().top_n = 3  # type: ignore[misc]


def test_an_alias_of_a_type_without_weight_stays_unknown() -> None:
    """A type without a weight does not count."""
    rules = event_rules(Settings(event_weights={"click": 1.0}))
    assert rules.types["view"] == "click"
    assert "buy" not in rules.types
    assert "cart" not in rules.types


def test_a_cart_is_a_known_name_unless_an_alias_says_otherwise() -> None:
    """Public logs use the name; it is not among the default aliases, which stored state carries."""
    assert event_rules(Settings(_env_file=None)).types["cart"] == "add_to_cart"
    named = Settings(_env_file=None, event_aliases={"cart": "click"})
    assert event_rules(named).types["cart"] == "click"


@pytest.mark.parametrize("name", ["BOUGHT_TOGETHER", "BOUGHT_AFTER_VIEW"])
def test_lists_of_what_is_bought_need_purchases(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Without a weight, a purchase is an event of unknown type, and no item is ever bought."""
    monkeypatch.setenv("STREAMAPP_EVENT_WEIGHTS", "click=1,add_to_cart=3")
    monkeypatch.setenv(f"STREAMAPP_{name}", "true")
    with pytest.raises(ConfigError, match=f"{name} needs the weight of a purchase"):
        load_settings()


def test_an_env_file_that_is_no_text_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In one line, as for any other impossible value."""
    (tmp_path / ".env").write_bytes(b"STREAMAPP_GROUP_ID=caf\xe9\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"\.env: byte 22 is not UTF-8"):
        load_settings()


@pytest.mark.parametrize("name", ["STREAMAPP_TOPN", "streamapp_topn"])
def test_a_misspelt_line_of_the_env_file_is_refused_likewise(tmp_path: Path, name: str) -> None:
    """In one line that names the file, since the environment holds no such variable."""
    (tmp_path / ".env").write_text(f"OTHER=1\n{name}=5\n")
    with pytest.raises(ConfigError, match=rf"^\.env: {name}: .* did you mean STREAMAPP_TOP_N\?$"):
        load_settings()


def test_an_env_file_may_say_more_than_settings(tmp_path: Path) -> None:
    """Other programs read it too, and the test backends have variables of their own."""
    (tmp_path / ".env").write_text("OTHER=1\nSTREAMAPP_TEST_LANE=kafka\nexport streamapp_top_n=7\n")
    assert load_settings().top_n == 7


def test_an_env_file_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line; root may read every file, so the refusal is simulated."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise PermissionError(13, "Permission denied", ".env")

    monkeypatch.setattr("streamapp.config.env_check.dotenv_values", refuse)
    with pytest.raises(ConfigError, match=r"^\.env: cannot be read: Permission denied$"):
        load_settings()


@pytest.mark.parametrize("password", ["hidden", "hid/den", "hid@den", "hid//den"])
def test_what_is_said_of_a_url_holds_no_password(
    monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    """The URL ends up in logs; also an unquoted password, which makes the URL impossible."""
    monkeypatch.setenv("STREAMAPP_REDIS_URL", f"redis://user:{password}@host:99999/0")
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert str(caught.value).startswith("STREAMAPP_REDIS_URL='redis://...@host:99999/0': ")
