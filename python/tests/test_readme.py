"""The examples of both READMEs run as they stand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest


@pytest.mark.parametrize("folder", [1, 2], ids=["package", "project"])
def test_the_example_runs(folder: int) -> None:
    text = (Path(__file__).parents[folder] / "README.md").read_text()
    (code,) = [block.split("```")[0] for block in text.split("```python\n")[1:]]
    names: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), names)
    mean, model = names["mean"], names["model"]
    assert isinstance(mean, dict) and isinstance(model, dict)
    assert {k: (a.shape, a.dtype) for k, a in mean.items()} == {k: (a.shape, a.dtype) for k, a in model.items()}
    assert any(np.any(a) for a in mean.values())
