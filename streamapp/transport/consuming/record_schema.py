"""How Faust decodes what the consumer yields: not at all."""

from typing import Any

import faust

from streamapp.transport.records import RecordBatch


class RecordBatchSchema(faust.Schema[None, RecordBatch]):
    """Passes a record batch through Faust unchanged."""

    def loads_key(self, app: Any, message: Any, **_: Any) -> None:
        """Keys stay with their records."""

    def loads_value(self, app: Any, message: Any, **_: Any) -> Any:
        """Return the record batch."""
        return message.value
