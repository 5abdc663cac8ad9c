"""Reads the settings of this process: the only reader of the environment."""

import os
from functools import cache

from pydantic import ValidationError

from streamapp.config.env_check import describe_failure, refuse_unknown
from streamapp.config.settings import Settings
from streamapp.errors import ConfigError


@cache
def load_settings() -> Settings:
    """Return the settings of this process, read once.

    Raises:
        ConfigError: a value is impossible; names the variable, the value and what is allowed.
    """
    try:
        refuse_unknown(os.environ, Settings.model_fields)
        return Settings()
    except (ValidationError, OSError, UnicodeDecodeError) as error:
        raise ConfigError(describe_failure(error)) from None
