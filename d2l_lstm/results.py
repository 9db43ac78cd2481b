"""Numbers of a run, and the sentences that quote them.

    d2l.result(best_validation=7.38, best_epoch=250)

leaves the numbers in the output of a notebook. Prose quotes one by an invisible mark
behind it, with an expression of such names and, after a colon, a format:

    The best is 7.38<!-- best_validation:.2f -->, which is
    3%<!-- 1 - best_validation / before:.0% --> lower.

and a sentence whose words depend on the run states what it depends on:

    The network loses. <!-- if best_validation > table -->

`quoted` puts the numbers of a run where such marks are, `problems` says what does not
fit: another number, a condition that is false, a name that no cell has given.
"""

from __future__ import annotations

import ast
import html
import math
import operator
import re

MIME = "application/vnd.d2l-lstm.result+json"

_COMMENT = re.compile(r"<!--(.*?)-->", re.DOTALL)
_QUOTED = re.compile(
    r"(?P<shown>`[^`\n]*`|[+\-−]?\d[\d,]*(?:\.\d+)?(?:e[+\-−]?\d+)?%?)"
    r"(?P<mark><!--(?!\s*if\b)(?P<expression>[^:]*?)(?::(?P<form>.*?))?\s*-->)",
    re.DOTALL,
)
_CONDITION = re.compile(r"<!--\s*if\b(.*?)-->", re.DOTALL)
_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.Not: operator.not_,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_FUNCTIONS = {"abs": abs, "min": min, "max": max, "exp": math.exp, "log": math.log}


class Result:
    """Numbers and short texts of a run, as a notebook or a terminal shows them."""

    def __init__(self, values: dict):
        self.values = values

    def __repr__(self):
        return ", ".join(
            f"{name} = {value:.5g}" if isinstance(value, float) else f"{name} = {value}"
            for name, value in self.values.items()
        )

    def _repr_mimebundle_(self, include=None, exclude=None):
        style = "color: #6b7280; font-size: 80%"
        return {
            "text/plain": repr(self),
            "text/html": f'<span style="{style}">{html.escape(repr(self))}</span>',
            MIME: self.values,
        }


def result(**values) -> None:
    """Leave numbers in the output of a cell, for the sentences that quote them.

    Args:
        values: finite numbers, truth values or short texts, by a name that no other
            cell of the notebook gives.

    Raises:
        ValueError: for anything else.
    """
    plain = {}
    for name, value in values.items():
        value = value.item() if hasattr(value, "item") else value
        number = isinstance(value, (int, float)) and math.isfinite(value)
        if not (number or isinstance(value, str)):
            raise ValueError(
                f"{name} is {value!r:.60}; a result is a finite number or a text."
            )
        plain[name] = value
    shown = Result(plain)
    try:
        from IPython.display import display
    except ImportError:
        print(shown)
    else:
        display(shown)


def results_of(notebook: dict) -> dict:
    """What `result` has left in an executed notebook, given as its JSON.

    Raises:
        ValueError: if a name stands for two values.
    """
    found: dict = {}
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            for name, value in output.get("data", {}).get(MIME, {}).items():
                if found.setdefault(name, value) != value:
                    raise ValueError(f"the result {name!r} is given twice.")
    return found


def _value(expression: str, results: dict):
    """An expression of results and numbers; nothing else can be said in it."""

    def of(node):
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                return results[name]
            case ast.UnaryOp(op=op, operand=operand):
                return _OPERATORS[type(op)](of(operand))
            case ast.BinOp(left=left, op=op, right=right):
                return _OPERATORS[type(op)](of(left), of(right))
            case ast.BoolOp(op=op, values=values):
                return (all if isinstance(op, ast.And) else any)(map(of, values))
            case ast.Compare(left=left, ops=ops, comparators=others):
                sides = [left, *others]
                return all(
                    _OPERATORS[type(op)](of(a), of(b))
                    for op, a, b in zip(ops, sides, others)
                )
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
                return _FUNCTIONS[name](*map(of, args))
        raise SyntaxError(f"{ast.unparse(node)!r} is not allowed here")

    return of(ast.parse(expression.strip(), mode="eval").body)


def _shown(expression: str, form: str | None, results: dict) -> str:
    value = _value(expression, results)
    if isinstance(value, str):
        return f"`{value}`"
    if form is None:
        form = "," if isinstance(value, int) else ".4g"
    return format(value, form.strip()).replace("-", "−")


def quoted(markdown: str, results: dict) -> str:
    """The text with the numbers of this run; what cannot be worked out stays."""

    def replaced(match):
        try:
            shown = _shown(match["expression"], match["form"], results)
        except (SyntaxError, KeyError, TypeError, ValueError, ArithmeticError):
            return match[0]
        return shown + match["mark"]

    return _QUOTED.sub(replaced, markdown)


def problems(markdown: str, results: dict) -> list[str]:
    """One sentence for each mark of a text that does not fit the results."""
    found = []
    for match in _QUOTED.finditer(markdown):
        try:
            shown = _shown(match["expression"], match["form"], results)
            if shown != match["shown"]:
                found.append(f"{match[0]} should be {shown}.")
        except (SyntaxError, KeyError, TypeError, ValueError, ArithmeticError) as error:
            found.append(f"{match[0]} cannot be worked out: {error!r}.")
    for match in _CONDITION.finditer(markdown):
        try:
            if not _value(match[1], results):
                found.append(f"no longer true: {' '.join(match[1].split())}.")
        except (SyntaxError, KeyError, TypeError, ValueError, ArithmeticError) as error:
            found.append(f"{match[0]} cannot be worked out: {error!r}.")
    marks = {m.start("mark") for m in _QUOTED.finditer(markdown)}
    marks |= {m.start() for m in _CONDITION.finditer(markdown)}
    for match in _COMMENT.finditer(markdown):
        if match.start() not in marks:
            found.append(f"{match[0]} stands behind no number and is no condition.")
    return found
