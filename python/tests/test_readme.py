"""The README's example runs as it stands."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def test_the_example_runs() -> None:
    text = (Path(__file__).parents[1] / "README.md").read_text()
    (code,) = [block.split("```")[0] for block in text.split("```python\n")[1:]]
    names: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), names)
    mean = names["mean"]
    assert isinstance(mean, dict) and mean["w"].shape == (4, 3) and mean["b"].dtype == np.float32
