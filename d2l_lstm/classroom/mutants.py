"""Small changes of a right answer, each of which must cost points.

Every mutant differs from the reference in one place between the solution's marks: names
of one kind exchanged, a summand, a tanh or a σ left out, a state zeroed, an index or a
bound off by one, + for -, F for 1 - F, a comparison turned, what is returned exchanged,
an axis exchanged or a transposition left out.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass

#: Functions that may be left out: f(x) becomes x.
SQUASHING = {
    "tanh", "sigmoid", "relu", "softmax", "log_softmax", "exp", "log", "sqrt", "abs",
    "hard_sigmoid", "flip", "cumsum", "detach", "reversed", "sorted",
}  # fmt: skip
#: Names of states, which may be zeroed.
STATES = re.compile(r"^(H|C|S|M|state|states|hidden|cell)(_\w+)?$")


@dataclass(frozen=True)
class Mutant:
    """A changed reference: the whole cell, what was changed, and where."""

    source: str
    title: str
    line: int


def solution_lines(source: str) -> tuple[int, int]:
    """First and last line between the marks; the whole cell where there are none."""
    first, last = 1, len(source.split("\n"))
    for number, line in enumerate(source.split("\n"), 1):
        if "BEGIN SOLUTION" in line:
            first = number
        elif "END SOLUTION" in line:
            last = number
    return first, last


def _function_name(node) -> str:
    function = node.func
    return getattr(function, "attr", getattr(function, "id", ""))


def _kinds(tree) -> dict[str, str]:
    """Name to another name of its kind, to exchange it for."""
    groups: dict[str, list[str]] = {}
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
            if isinstance(target, ast.Name) and isinstance(node.value, ast.Call):
                name = f"call {_function_name(node.value)}"
                if target.id not in groups.setdefault(name, []):
                    groups[name].append(target.id)
        if isinstance(node, ast.Name) and node.id not in names:
            names.append(node.id)
        if isinstance(node, ast.arg) and node.arg not in names:
            names.append(node.arg)
    for name in names:  # W_xi and W_xf, b_i and b_f
        found = re.match(r"^([A-Za-z]+_[A-Za-z]*)[A-Za-z~]$", name)
        if found:
            group = groups.setdefault(f"letters {found[1]}", [])
            if name not in group:
                group.append(name)
    pairs: dict[str, str] = {}
    for group in groups.values():
        if len(group) > 1:
            for name, other in zip(group, group[1:] + group[:1]):
                pairs.setdefault(name, other)
    for a, b in (("H", "C"), ("C", "H")):
        if a in names and b in names:
            pairs.setdefault(a, b)
    return pairs


def _short(node) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 60 else text[:57] + "..."


_FLIPPED = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_TURNED = {ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt, ast.GtE: ast.LtE}
_AXES = ("axis", "dim", "axes")


def _is_integer(node) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int


def _shifted(node, by: int):
    return ast.BinOp(
        left=node, op=ast.Add() if by > 0 else ast.Sub(), right=ast.Constant(abs(by))
    )


def _alternatives(node, pairs, in_index: bool) -> Iterator[ast.AST]:
    """What may stand in the place of a node."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        if node.id in pairs:
            yield ast.Name(id=pairs[node.id], ctx=ast.Load())
        if STATES.match(node.id) and not in_index:
            yield ast.BinOp(left=ast.Constant(0), op=ast.Mult(), right=node)
    elif isinstance(node, ast.BinOp):
        if isinstance(node.op, (ast.Add, ast.Sub)):
            other = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
            yield ast.BinOp(left=node.left, op=other, right=node.right)
            one = isinstance(node.left, ast.Constant) and node.left.value == 1
            if one and isinstance(node.op, ast.Sub):
                yield node.right
            elif not in_index:
                yield node.left
                yield node.right
        elif isinstance(node.op, ast.Mult) and not in_index:
            yield node.left
            yield node.right
    elif isinstance(node, ast.Call):
        if _function_name(node) in SQUASHING and not node.keywords:
            if len(node.args) == 1:
                yield node.args[0]
            elif not node.args and isinstance(node.func, ast.Attribute):
                yield node.func.value  # H.detach()
        if _function_name(node) == "range" and node.args:
            for i in range(min(len(node.args), 2)):
                for by in (1, -1):
                    args = list(node.args)
                    args[i] = _shifted(args[i], by)
                    yield ast.Call(func=node.func, args=args, keywords=[])
        for i, keyword in enumerate(node.keywords):
            if keyword.arg in _AXES and _constant(keyword.value) is not None:
                value = _constant(keyword.value)
                keywords = list(node.keywords)
                keywords[i] = ast.keyword(
                    arg=keyword.arg, value=ast.Constant(0 if value else 1)
                )
                yield ast.Call(func=node.func, args=node.args, keywords=keywords)
    elif isinstance(node, ast.Attribute) and node.attr == "T":
        yield node.value
    elif isinstance(node, ast.Compare) and len(node.ops) == 1:
        for table in (_FLIPPED, _TURNED):
            if type(node.ops[0]) in table:
                yield ast.Compare(
                    left=node.left,
                    ops=[table[type(node.ops[0])]()],
                    comparators=node.comparators,
                )
    elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        index = node.slice
        value = _constant(index)
        if value is not None:
            for by in (1, -1):
                yield ast.Subscript(node.value, ast.Constant(value + by), ast.Load())
        elif isinstance(index, (ast.Name, ast.BinOp)):
            for by in (1, -1):
                yield ast.Subscript(node.value, _shifted(index, by), ast.Load())
    elif isinstance(node, ast.Slice):
        for name in ("lower", "upper"):
            bound = getattr(node, name)
            if bound is not None:
                for by in (1, -1):
                    changed = copy.copy(node)
                    value = _constant(bound)
                    new = (
                        ast.Constant(value + by)
                        if value is not None
                        else _shifted(bound, by)
                    )
                    setattr(changed, name, new)
                    yield changed
    elif isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
        items = node.value.elts
        if len(items) > 1:
            exchanged = [items[1], items[0], *items[2:]]
            yield ast.Return(ast.Tuple(exchanged, ast.Load()))
    elif isinstance(node, ast.BoolOp):
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield ast.BoolOp(op=other, values=node.values)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Not)):
        if not isinstance(node.operand, ast.Constant):
            yield node.operand
    elif _is_integer(node) and not in_index and type(node.value) is int:
        yield ast.Constant(node.value + 1)


def _constant(node) -> int | None:
    if _is_integer(node):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _constant(node.operand)
        return None if inner is None else -inner
    return None


def _places(tree, first: int, last: int) -> Iterator[tuple]:
    """(parent, field, index or None, node, in_index) of all that may be changed."""

    def walk(parent, in_index):
        for name, value in ast.iter_fields(parent):
            items = enumerate(value) if isinstance(value, list) else [(None, value)]
            if name in ("annotation", "returns", "decorator_list", "type_comment"):
                continue
            for i, node in items:
                if not isinstance(node, ast.AST):
                    continue
                inside = in_index or (
                    isinstance(parent, ast.Subscript) and name == "slice"
                )
                inside = inside or (
                    isinstance(parent, ast.Call) and _function_name(parent) == "range"
                )
                inside = inside or (
                    isinstance(parent, ast.keyword) and parent.arg in _AXES
                )
                line = getattr(node, "lineno", None)
                skip = (
                    isinstance(parent, ast.JoinedStr)
                    or isinstance(parent, ast.Expr)
                    and isinstance(node, ast.Constant)
                )
                if line is not None and first <= line <= last and not skip:
                    yield parent, name, i, node, inside
                yield from walk(node, inside)

    yield from walk(tree, False)


def mutants(source: str) -> list[Mutant]:
    """All mutants of a reference: each a whole cell that is another program.

    Args:
        source: the solution cell; only what is between the marks is changed.
    """
    tree = ast.parse(source)
    first, last = solution_lines(source)
    pairs = _kinds(tree)
    original, found, seen = ast.unparse(tree), [], set()
    for parent, name, i, node, inside in list(_places(tree, first, last)):
        for other in _alternatives(node, pairs, inside):
            other = ast.fix_missing_locations(ast.copy_location(other, node))
            title = f"{_short(node)} → {_short(other)}"
            if i is None:
                setattr(parent, name, other)
            else:
                getattr(parent, name)[i] = other
            try:
                changed = ast.unparse(ast.fix_missing_locations(tree))
            finally:
                if i is None:
                    setattr(parent, name, node)
                else:
                    getattr(parent, name)[i] = node
            if changed != original and changed not in seen:
                seen.add(changed)
                found.append(Mutant(changed, title, node.lineno))
    return found
