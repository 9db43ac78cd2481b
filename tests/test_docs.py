"""What the pages in `docs` say about Paddle is so."""

import re
from pathlib import Path

import paddle

PAGE = Path(__file__).parent.parent / "docs" / "keras_pytorch_paddle.md"


def test_every_line_of_the_paddle_column_runs_and_gives_what_is_said():
    text = PAGE.read_text(encoding="utf-8")
    (setup,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    rows = [line.split(" | ") for line in text.splitlines() if line.endswith("` |")]
    assert len(rows) == text.count("` |\n") >= 30
    paddle.seed(0)
    names = {}
    exec(setup, names)
    for row in rows:
        code, fact = (part.strip(" |").strip("`") for part in row[-2:])
        exec(code, names)
        assert eval(fact, names) is True, f"{code}: {fact}"
