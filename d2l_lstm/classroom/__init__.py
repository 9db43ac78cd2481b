"""Exercises that grade themselves: what their notebooks, graders and students use.

An exercise notebook begins with

    from d2l_lstm import classroom
    classroom.begin("04_lstm_cell", edition=1)

and its test cells call `judge`, `close`, `expect` and the others below. The rest of
this package reads such notebooks (`questions`), runs one question in a process of its
own (`isolation`, `worker`), tries answers that are known to be right or wrong
(`answers`, `mutants`), tells a student what passes (`checking`) and grades for nbgrader
(`grading`). None of it imports nbgrader or Jupyter, except `grading`, which nbgrader
itself loads.
"""

from .judging import close, forbid, fresh, judge
from .messages import Wrong, call, expect, hidden
from .stamps import EDITIONS, Mismatch, begin

__all__ = [
    "EDITIONS",
    "Mismatch",
    "Wrong",
    "begin",
    "call",
    "close",
    "expect",
    "forbid",
    "fresh",
    "hidden",
    "judge",
]
