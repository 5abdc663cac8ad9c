"""A Redis Cluster on loopback: three primaries that share the slots."""

from typing import ClassVar

from redis.client import NEVER_DECODE
from redis.cluster import RedisCluster

from streamapp.embedded.server import HOST, free_port
from tests.servers.deadline import wait_until
from tests.servers.node import RedisNode

_SLOTS = 16_384
_AGREE_S = 30.0


class ClusterNode(RedisNode):
    """One primary.

    Attributes:
        bus_port: Port for the other nodes.
    """

    name: ClassVar[str] = "cluster-node"
    bus_port: int = 0

    def command(self) -> list[str]:
        """Return the server's command line."""
        if not self._settled:
            self.bus_port = free_port()
        return [
            *super().command(),
            "--cluster-enabled", "yes",
            "--cluster-port", str(self.bus_port),
            "--cluster-node-timeout", "2000",
            "--cluster-require-full-coverage", "no",
        ]  # fmt: skip


class Cluster:
    """Three nodes, each with a third of the slots; to a deployment it is a Redis.

    Attributes:
        keeps_data: Whether a node that is killed comes back with its data.
        nodes: The nodes, by rising slots.
    """

    def __init__(self, *, keeps_data: bool = True) -> None:
        self.keeps_data = keeps_data
        self.nodes = [ClusterNode(keeps_data=keeps_data) for _ in range(3)]
        self._known = len(self.nodes)

    @property
    def url(self) -> str:
        """The value of `STREAMAPP_REDIS_URL`; any node knows the others."""
        return self.nodes[0].url

    def start(self) -> None:
        """Start the nodes, make them one cluster, and return when all of them see it whole."""
        bounds = [_SLOTS * number // len(self.nodes) for number in range(len(self.nodes) + 1)]
        for node in self.nodes:
            node.start()
        first = self.nodes[0]
        for number, node in enumerate(self.nodes):
            with node.client() as redis:
                redis.execute_command(
                    "CLUSTER", "ADDSLOTSRANGE", bounds[number], bounds[number + 1] - 1
                )
                redis.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
                if node is not first:
                    redis.execute_command("CLUSTER", "MEET", HOST, first.port, first.bus_port)
        self.await_whole()

    def await_whole(self) -> None:
        """Return when every node sees that all slots are served."""
        wait_until(self._whole, _AGREE_S, lambda: "\n".join(n.log_tail() for n in self.nodes))

    def client(self) -> RedisCluster:
        """Return a client, which the caller closes."""
        return RedisCluster.from_url(self.url)

    def node_of(self, key: str) -> ClusterNode:
        """Return the node that holds a key."""
        with self.nodes[0].client() as redis:
            slot = int(redis.execute_command("CLUSTER", "KEYSLOT", key))
        return self.nodes[slot * len(self.nodes) // _SLOTS]

    def fail_over(self, node: ClusterNode) -> None:
        """End a node for good, and return when a replica of it has taken its place."""
        heir = ClusterNode(keeps_data=self.keeps_data)
        heir.start()
        try:
            name, own = _name(node), _name(heir)
            with heir.client() as redis:
                redis.execute_command("CLUSTER", "MEET", HOST, node.port, node.bus_port)
                wait_until(lambda: _says(heir, name, b"master "), _AGREE_S, heir.log_tail)
                redis.execute_command("CLUSTER", "REPLICATE", name)
            heir.await_link()
            others = {_name(one): one for one in self.nodes}
            # A voter must know whose replica it is, and the replica must know the voters.
            wait_until(
                lambda: all(
                    _says(heir, other, b"master ") and _says(one, own, b"slave " + name)
                    for other, one in others.items()
                ),
                _AGREE_S,
                heir.log_tail,
            )
            node.kill()
            wait_until(lambda: _says(heir, own, b"myself,master "), _AGREE_S, heir.log_tail)
        finally:
            self.nodes[self.nodes.index(node)] = heir
            node.close()
        self._known += 1
        self.await_whole()

    def stop(self) -> None:
        """End all nodes in order."""
        for node in self.nodes:
            node.stop()

    def kill(self) -> None:
        """End all nodes as a crash would."""
        for node in self.nodes:
            node.kill()

    def close(self) -> None:
        """End all nodes and remove their data."""
        for node in self.nodes:
            node.close()

    def _whole(self) -> bool:
        for node in self.nodes:
            with node.client() as redis:
                about: bytes = redis.execute_command("CLUSTER", "INFO")
            if not {
                b"cluster_state:ok",
                b"cluster_slots_ok:%d" % _SLOTS,
                b"cluster_known_nodes:%d" % self._known,
            } <= set(about.split()):
                return False
        return True


def _name(node: ClusterNode) -> bytes:
    """Return the id of a node."""
    with node.client() as redis:
        name: bytes = redis.execute_command("CLUSTER", "MYID")
    return name


def _says(node: ClusterNode, name: bytes, part: bytes) -> bool:
    """Return whether a node knows the node of that name, and says `part` of it."""
    with node.client() as redis:
        known: bytes = redis.execute_command("CLUSTER", "NODES", **{NEVER_DECODE: True})
    return any(line.startswith(name) and part in line for line in known.splitlines())
