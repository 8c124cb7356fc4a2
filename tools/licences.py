"""Refuses any dependency whose licence does not allow us to ship it under MIT or Apache-2.0."""

import json
import re
import subprocess
import sys

ALLOWED = {
    "MIT", "MIT-0", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "Zlib", "0BSD", "Unlicense",
    "Unicode-3.0", "CC0-1.0", "BSL-1.0", "Apache-2.0 WITH LLVM-exception",
}
# Tools that run at development time and are linked into nothing that we ship.
DEVELOPMENT_ONLY = {"cbindgen": "MPL-2.0"}


def allowed(expression: str) -> bool:
    """True if some choice of the SPDX expression is allowed."""
    expression = expression.replace("/", " OR ")
    expression = re.sub(r"[()]", " ", expression)
    for choice in expression.split(" OR "):
        if all(part.strip() in ALLOWED for part in choice.split(" AND ")):
            return True
    return False


def main() -> int:
    metadata = json.loads(subprocess.check_output(["cargo", "metadata", "--format-version", "1", "--locked"]))
    refused = [
        f"{package['name']} {package['version']}: {package['license']}"
        for package in metadata["packages"]
        if not allowed(package["license"] or "")
        and DEVELOPMENT_ONLY.get(package["name"]) != package["license"]
    ]
    for line in refused:
        print("licence not allowed:", line, file=sys.stderr)
    print(f"{len(metadata['packages'])} packages read, {len(refused)} refused")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
