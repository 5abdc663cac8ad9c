"""The jars of Apache Kafka, fetched once by Maven and kept in a cache folder.

Maven is used because it honours the mirrors and proxies of the machine and checks its downloads.
"""

import os
import re
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.servers.backend import BackendError

_POM = Path(__file__).with_name("pom.xml")
_JAVA = 17


def cache_folder() -> Path:
    """Return the folder in which the test backends keep their downloads."""
    chosen = os.environ.get("STREAMAPP_TEST_CACHE")
    return Path(chosen) if chosen else Path(__file__).parents[2] / ".cache"


def java() -> str:
    """Return the path of a Java that runs Kafka.

    Raises:
        BackendError: there is none, or it is too old.
    """
    program = shutil.which("java")
    if program is None:
        raise BackendError("there is no java: apt-get install openjdk-17-jre-headless")
    said = subprocess.run([program, "-version"], capture_output=True, text=True, check=False)
    version = re.search(r'version "(\d+)', said.stderr)
    if version is None or int(version[1]) < _JAVA:
        raise BackendError(f"java {version[1] if version else '?'} is too old: Kafka needs {_JAVA}")
    return program


def kafka_jars() -> Path:
    """Return the folder of Kafka's jars; fetch missing jars (43 MB).

    Raises:
        BackendError: they are missing, and there is no Maven or it cannot fetch them.
    """
    folder = cache_folder() / f"kafka-{sha256(_POM.read_bytes()).hexdigest()[:12]}"
    if folder.exists():
        return folder
    maven = shutil.which("mvn")
    if maven is None:
        raise BackendError(
            "Kafka's jars are not fetched, and there is no mvn: apt-get install maven"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent) as partial:
        fetched = subprocess.run(
            [
                maven, "--batch-mode", "--no-transfer-progress", "--strict-checksums",
                "--file", str(_POM), "dependency:copy-dependencies",
                "-DincludeScope=runtime", f"-DoutputDirectory={partial}/jars",
            ],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if fetched.returncode:
            raise BackendError(f"Maven cannot fetch Kafka: {fetched.stdout[-2000:]}")
        _settle(Path(partial, "jars"), folder)
    return folder


def _settle(fetched: Path, folder: Path) -> None:
    """Put the whole folder in place at once; another run may have done so first."""
    try:
        fetched.rename(folder)
    except OSError:
        if not folder.exists():
            raise
