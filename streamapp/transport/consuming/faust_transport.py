"""The transport that the Faust app is given."""

from typing import ClassVar

from faust.transport.drivers import aiokafka as driver
from faust.types import AppT
from faust.types.transports import ConsumerT
from yarl import URL

from streamapp.config.settings import Settings
from streamapp.failpoints import Failpoints
from streamapp.transport.consuming.consumer import Consumer
from streamapp.transport.consuming.partition_owner import PartitionOwner


class Transport(driver.Transport):
    """Faust's aiokafka transport with this consumer.

    Attributes:
        settings: What the operator set.
        owner: Processes the partitions that are read.
        failpoints: Where this process is to die, in tests.
    """

    Consumer: ClassVar[type[ConsumerT]] = Consumer

    def __init__(
        self,
        url: list[URL],
        app: AppT,
        settings: Settings,
        owner: PartitionOwner,
        failpoints: Failpoints,
    ) -> None:
        super().__init__(url, app)
        self.settings = settings
        self.owner = owner
        self.failpoints = failpoints
