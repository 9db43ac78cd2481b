"""Whether an answer is right: against an oracle, on fresh random shapes and values.

The tolerance comes from the type of the numbers. For every case the oracle is evaluated
in float64, at the very numbers that the answer gets, and once more in float32: what the
two differ by is what rounding does here, and a right answer may differ by 16 times as
much. At least `FLOOR` of the largest number is allowed, and never more than 1/500 of
it, so that an answer that is 1 % wrong fails.
"""

from __future__ import annotations

import ast
import contextlib
import linecache
import os
import secrets
import sys
import types

import numpy as np

from .messages import Now, Wrong, call, files_of, name_of, remember_seed

#: Relative tolerance that every comparison allows.
FLOOR = {"float32": 2.0**-16, "float64": 2.0**-36}
#: And what it never exceeds.
CEILING = 1 / 500
_FACTOR = 16
_RATIO = float(np.finfo("float64").eps / np.finfo("float32").eps)
_NAMES = ("H", "C")
_NUMBERS = (bool, int, float, complex, np.number, np.bool_)


def fresh(seed: int | None = None) -> np.random.Generator:
    """A generator of new random numbers; D2L_LSTM_SEED in the environment repeats them.

    The seed is named in the message of a test that fails.
    """
    if seed is None and os.environ.get("D2L_LSTM_SEED"):
        seed = int(os.environ["D2L_LSTM_SEED"])
    if seed is None:
        seed = secrets.randbits(32)
    remember_seed(seed)
    return np.random.default_rng(seed)


# --------------------------------------------------------------- values and their types


def _mapped(value, function):
    """A copy of nested tuples, lists and dicts; the function makes the arrays anew."""
    if isinstance(value, tuple):
        return tuple(_mapped(v, function) for v in value)
    if isinstance(value, list):
        return [_mapped(v, function) for v in value]
    if isinstance(value, dict):
        return {k: _mapped(v, function) for k, v in value.items()}
    return function(value) if isinstance(value, np.ndarray) else value


def _is_float(array) -> bool:
    return np.issubdtype(array.dtype, np.floating)


def _single(array):
    return array.astype(np.float32) if _is_float(array) else array.copy()


def _rounded(array):
    return _single(array).astype(array.dtype)


def _tensor(array):
    import paddle

    return paddle.to_tensor(_single(array))


def _plain(value):
    """Tensors as arrays, everything else as it is."""
    if hasattr(value, "numpy") and hasattr(value, "shape"):
        value = value.detach() if hasattr(value, "detach") else value
        return np.asarray(value.numpy())
    return value


def _is_number(value) -> bool:
    return isinstance(value, _NUMBERS)


def _leaves(value) -> list:
    if isinstance(value, (tuple, list)):
        return [leaf for v in value for leaf in _leaves(v)]
    if isinstance(value, dict):
        return [leaf for v in value.values() for leaf in _leaves(v)]
    return [value]


def kind_of(value) -> str:
    """What a value is, in words."""
    value = _plain(value)
    if value is None:
        return "nothing (None)"
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    if isinstance(value, str):
        return f"the text {value!r}" if len(value) < 40 else "a text"
    if _is_number(value):
        return f"the number {_shown(value)}"
    return f"a value of type {type(value).__name__}"


def _shown(value) -> str:
    if isinstance(value, (float, np.floating)):
        return f"{float(value):.6g}"
    return str(value.item() if isinstance(value, np.generic) else value)


# ----------------------------------------------------------------------- one comparison


def _tolerance(want, rough, number: str, like=None) -> float:
    """How far an entry of `want` may be missed, in absolute terms.

    Args:
        want: float64 array. rough: the same in float32, or None if that is not known.
        number: "float32" or "float64", the type that the answer is computed in.
        like: numbers of the size that counts, if `want` itself is no measure of it.
    """
    sizes = [want] if like is None else [want, np.asarray(_plain(like))]
    finite = [np.abs(s[np.isfinite(s)]) for s in map(np.asarray, sizes)]
    scale = max((float(s.max()) for s in finite if s.size), default=0.0) or 1.0
    allowed = FLOOR[number] * scale
    if rough is not None and rough.shape == want.shape:
        with np.errstate(all="ignore"):
            apart = np.abs(rough.astype(np.float64) - want)
        measured = float(np.max(apart[np.isfinite(apart)], initial=0.0))
        allowed += _FACTOR * measured * (1.0 if number == "float32" else _RATIO)
    return min(allowed, CEILING * scale)


def _number_type(got, coarse: bool) -> str:
    dtype = getattr(got, "dtype", None)
    return "float32" if coarse or dtype in (np.float32, np.float16) else "float64"


def _numbers(got, want, rough, name, coarse, like=None, within=None) -> str | None:
    """What is wrong with an array or number, or None."""
    number = _number_type(got, coarse)
    try:
        got = np.asarray(got)
    except ValueError:
        return f"{name} is ragged; it should have shape {want.shape}."
    if got.dtype == object or got.dtype.kind in "USV":
        return f"{name} is {kind_of(got)} of no numbers; it should be {kind_of(want)}."
    if got.shape != want.shape and not (got.size == 1 and want.shape == ()):
        return f"{name} has shape {got.shape}; it should be {want.shape}."
    got = got.reshape(want.shape)
    if np.iscomplexobj(got) and not np.iscomplexobj(want):
        if np.any(got.imag != 0):
            return f"{name} has complex numbers; they should be real."
        got = got.real
    if want.dtype.kind in "iub":
        wrong = got != want
    else:
        got, want = (
            got.astype(np.result_type(got, float)),
            want.astype(float) if (not np.iscomplexobj(want)) else want,
        )
        unasked = ~np.isfinite(got) & np.isfinite(want)
        if np.any(unasked):
            where = tuple(int(i) for i in np.argwhere(unasked)[0])
            return (
                f"{_at(name, where)} is {got[where]}; it should be "
                f"{_shown(want[where])}."
            )
        allowed = _tolerance(want, rough, number, like) if within is None else within
        with np.errstate(invalid="ignore"):
            same = (got == want) | (np.isnan(got) & np.isnan(want))
            wrong = ~(same | (np.abs(got - want) <= allowed))
    if not np.any(wrong):
        return None
    if got.shape:  # the entry that is missed by most
        with np.errstate(invalid="ignore"):
            apart = np.where(wrong, np.abs(got.astype(float) - want.astype(float)), -1)
        apart = np.nan_to_num(apart, nan=np.inf)
        where = np.unravel_index(int(np.argmax(apart)), got.shape)
    else:
        where = ()
    where = tuple(int(i) for i in where)
    if got.size == 1:
        got, want, where = got.reshape(()), want.reshape(()), ()
    a, b = _apart(got[where], want[where])
    return f"{_at(name, where)} is {a}; it should be {b}."


def _is_huge(value) -> bool:
    """Whether a whole number has more digits than NumPy's integers can hold."""
    return isinstance(value, int) and abs(value) >= 2**63


def _huge(got, want: int, name: str) -> str | None:
    """What is wrong with a number that should be a huge whole one, or None."""
    if isinstance(got, np.ndarray) and got.size == 1:
        got = got.item()
    if not _is_number(got):
        return f"{name} is {kind_of(got)}; it should be the number {want}."
    if not got == want:  # Python compares every digit
        return f"{name} is {_shown(got)}; it should be {want}."
    return None


def _apart(a, b) -> tuple[str, str]:
    """Two numbers with as many digits as tell them apart."""
    if not (np.issubdtype(np.asarray(a).dtype, np.inexact)):
        return _shown(a), _shown(b)
    for digits in (4, 6, 9, 13, 17):
        texts = f"{a:.{digits}g}", f"{b:.{digits}g}"
        if texts[0] != texts[1]:
            return texts
    return texts


def _at(name: str, where: tuple) -> str:
    """How an entry is called: H[0, 1], or entry [0, 1] of what has a longer name."""
    place = f"[{', '.join(map(str, where))}]"
    if not where:
        return name
    return f"entry {place} of {name}" if " " in name else name + place


def _compare(got, want, rough, names, coarse, path="the result") -> str | None:
    """What is wrong with an answer that may be nested, or None."""
    got = _plain(got)
    if isinstance(want, (np.ndarray, np.generic, int, float)) and not isinstance(
        want, bool
    ):
        if _is_huge(want):
            return _huge(got, want, names[0] if names else path)
        want = np.asarray(want)
    if isinstance(want, (tuple, list)):
        plain = all(_is_number(w) or isinstance(w, str) for w in want)
        if isinstance(got, np.ndarray) and plain and isinstance(want, list):
            got = got.tolist()
        if not isinstance(got, (tuple, list)):
            inside = [_name(names, path, i) for i in range(len(want))]
            listed = ", ".join(inside) + ("," if len(want) == 1 else "")
            if any(n.startswith(path) for n in inside):
                return f"{path} is {kind_of(got)}; it should be {kind_of(want)}."
            return f"{path} is {kind_of(got)}; it should be ({listed})."
        if len(got) != len(want):
            return f"{path} has length {len(got)}; it should have length {len(want)}."
        for i, (g, w) in enumerate(zip(got, want)):
            inner = rough[i] if isinstance(rough, (tuple, list)) else None
            before = sum(len(_leaves(v)) for v in want[:i])
            inside = _inner_names(names, before, len(_leaves(w)))
            at = f"{path}[{i}]" if inside is None or not inside else path
            if inside and not isinstance(w, (tuple, list, dict)):
                at = inside[0]
            problem = _compare(g, w, inner, inside, coarse, at)
            if problem:
                return problem
        return None
    if isinstance(want, dict):
        if not isinstance(got, dict):
            return f"{path} is {kind_of(got)}; it should be a dictionary."
        if set(got) != set(want):
            return (
                f"{path} has the keys {sorted(map(str, got))}; it should have "
                f"{sorted(map(str, want))}."
            )
        for key, w in want.items():
            inner = rough[key] if isinstance(rough, dict) else None
            problem = _compare(got[key], w, inner, None, coarse, f"{path}[{key!r}]")
            if problem:
                return problem
        return None
    name = names[0] if names else path
    if got is None and want is not None:
        return f"{name} is None: a return statement or a value is missing."
    if want is None or isinstance(want, (str, bool, np.bool_)):
        if isinstance(got, np.ndarray) and got.size == 1:
            got = got.item()
        same = got is None if want is None else bool(np.all(got == want))
        if isinstance(want, str) and not isinstance(got, str):
            same = False
        if same:
            return None
        shown = repr(got) if isinstance(got, str) else kind_of(got)
        if isinstance(got, (bool, np.bool_)):
            shown = str(got)
        return f"{name} is {shown}; it should be {want!r}."
    if not isinstance(want, np.ndarray):
        return None if got == want else f"{name} is {got!r}; it should be {want!r}."
    if isinstance(got, (str, dict)) or not (
        _is_number(got) or isinstance(got, (np.ndarray, list, tuple))
    ):
        return f"{name} is {kind_of(got)}; it should be {_kind_of_array(want)}."
    if isinstance(got, (list, tuple)):
        if any(isinstance(_plain(g), np.ndarray) for g in got):
            return f"{name} is {kind_of(got)}; it should be {_kind_of_array(want)}."
    rough = None if rough is None else np.asarray(rough)
    return _numbers(got, want, rough, name, coarse)


def _kind_of_array(want) -> str:
    return f"an array of shape {want.shape}" if want.shape else "a number"


def _name(names, path, i):
    return names[i] if names and i < len(names) else f"{path}[{i}]"


def _inner_names(names, before, count):
    if not names:
        return None
    inside = names[before : before + count]
    return inside if len(inside) == count else None


def _names_for(want, names):
    """The names given, where they fit what the oracle returns."""
    leaves = _leaves(want)
    if names is _NAMES or tuple(names) == _NAMES:
        if len(leaves) > 2 or not all(np.ndim(v) == 2 for v in leaves if v is not None):
            return None
    return tuple(names) if len(leaves) <= len(names) else None


def _changed(before, after) -> bool:
    """Whether an argument is no longer what was handed over."""
    before, after = _plain(before), _plain(after)
    if before is after:
        return False
    if type(before) is not type(after):
        return True
    if isinstance(before, (tuple, list)):
        return len(before) != len(after) or any(map(_changed, before, after))
    if isinstance(before, dict):
        return before.keys() != after.keys() or any(
            _changed(before[k], after[k]) for k in before
        )
    if isinstance(before, np.ndarray):
        return before.shape != after.shape or not np.array_equal(
            before, after, equal_nan=before.dtype.kind == "f"
        )
    return bool(before != after)


# ----------------------------------------------------------------- what test cells call


def judge(
    answer,
    oracle,
    draw,
    *,
    mistakes=types.MappingProxyType({}),
    cases: int = 5,
    names: tuple = _NAMES,
    type: str = "paddle",
    seed: int | None = None,
    part=None,
    name: str | None = None,
) -> None:
    """Compare a student's function with an oracle, on fresh random cases.

    Args:
        answer: the student's function.
        oracle: the right function, on NumPy arrays; evaluated in float64, and in
            float32 to learn what rounding does. Integers, texts and lists of them are
            compared exactly.
        draw: `draw(rng)` makes the arguments of a case: a tuple, nested as you like, of
            float64 arrays, integer arrays, numbers, texts and None. Shapes and values
            are to be new in every case.
        mistakes: sentence to function. Where the answer is wrong, and equal to what
            this function gives, the sentence is the message.
        cases: how many.
        names: what the arrays of the result are called in messages.
        type: "paddle" hands float32 tensors to the answer; "numpy" hands it arrays, in
            turn of float64 and float32.
        seed: repeats the random numbers; so does D2L_LSTM_SEED in the environment.
        part: compare only a part of the results: `part(result)` for a function,
            `result[part]` for an index or a slice. Oracle and mistakes give the whole;
            `names` name the part.
        name: of the student's function, where `answer` is something around it.

    Raises:
        Wrong: one sentence with the name and the shape or the value.
    """
    name = name or name_of(answer)
    take = part if callable(part) else lambda result: result[part]
    if type not in ("paddle", "numpy"):
        raise ValueError(f"type is {type!r}; it must be 'paddle' or 'numpy'.")
    rng = fresh(seed)
    first, left = None, dict(mistakes)
    for case in range(cases):
        one = _Case(draw(rng), type, case)
        whole, rough = one.evaluated(oracle)
        want = whole
        try:
            got = call(answer, *one.given)
        except Wrong:
            if first is None:
                raise
            break
        shown = f"what {name} returns"
        if part is not None:
            want = take(whole)
            rough = _taken(take, rough)
            try:
                got = take(got)
            except Exception:
                if first is None:
                    raise Wrong(
                        f"{shown} is {kind_of(got)}; it should be {kind_of(whole)}."
                    ) from None
                break
        names_here = _names_for(want, names)
        problem = _compare(got, want, rough, names_here, one.coarse, shown)
        if first is None and not problem:
            changed = one.changed_argument()
            if changed:
                raise Wrong(
                    f"{name} changes its argument number {changed}; it "
                    "should leave what it is given as it is, and return new values."
                )
        # A mistake is recognised if it explains what the answer gives in every case.
        for sentence, mistake in list(left.items()):
            try:
                other, rough_other = one.evaluated(mistake)
                if part is not None:
                    other, rough_other = take(other), _taken(take, rough_other)
            except Exception:
                del left[sentence]
                continue
            if _compare(got, other, rough_other, None, one.coarse) is not None:
                del left[sentence]
        if problem and first is None:
            first = problem
        if first is not None and not left:
            break
    if first is None:
        return
    for sentence in left:
        raise Wrong(sentence, detail=first, mistake=True)
    raise Wrong(first)


def _taken(take, rough):
    """A part of what came out in float32; None if that has no such part."""
    try:
        return None if rough is None else take(rough)
    except Exception:
        return None


class _Case:
    """The arguments of one case, as the answer and as the oracle get them."""

    def __init__(self, drawn, type: str, number: int):
        drawn = drawn if isinstance(drawn, tuple) else (drawn,)
        self.coarse = type == "paddle" or number % 2 == 1
        self.exact = _mapped(drawn, _rounded if self.coarse else np.copy)
        convert = _tensor if type == "paddle" else _single if self.coarse else np.copy
        self.given = _mapped(self.exact, convert)
        self.kept = _mapped(self.exact, convert)

    def evaluated(self, function):
        """What a function gives in float64, and in float32 (None if it cannot)."""
        with np.errstate(all="ignore"):
            want = function(*_mapped(self.exact, np.copy))
            try:
                rough = function(*_mapped(self.exact, _single))
            except Exception:
                rough = None
        return want, rough

    def changed_argument(self) -> int | None:
        """The number of an argument that is not any more what it was."""
        for number, (before, after) in enumerate(zip(self.kept, self.given), 1):
            if _changed(before, after):
                return number
        return None


def close(got, want, what: str, *, like=None, within: float | None = None) -> None:
    """Compare one value, with the tolerance of its number type.

    Args:
        got: the student's: tensor, array, number, text, or lists and tuples of them.
        want: what it should be.
        what: its name in the message.
        like: numbers of the size that counts, if `want` is no measure of it: the
            summands of what should come out as 0.
        within: how far it may be off, in absolute terms, if that is not a question of
            rounding: for a value with four digits in the text, 5e-5.

    Raises:
        Wrong: one sentence with the name and the shape or the value.
    """
    want, got = _plain(want), _plain(got)
    if isinstance(got, np.ndarray) and isinstance(want, (list, tuple)):
        with contextlib.suppress(ValueError):
            table = np.asarray(want)
            want = table if table.dtype.kind in "iufb" else want
    leaves = [getattr(_plain(leaf), "dtype", None) for leaf in _leaves(got)]
    single = isinstance(got, float) or np.float32 in leaves
    plain = _is_number(want) or isinstance(want, np.ndarray)
    if (
        plain
        and not isinstance(want, bool)
        and not _is_huge(want)
        and isinstance(got, (np.ndarray, *_NUMBERS))
    ):
        want = np.asarray(want)
        if want.dtype.kind in "iu" and np.asarray(got).dtype.kind == "f":
            want = want.astype(float)  # 3 may come out as 3.0000000000000027
        problem = _numbers(got, want, None, what, single, like, within)
    else:
        problem = _compare(got, want, None, None, single, what)
    if problem:
        raise Wrong(problem)


def _mentioned(tree) -> dict[str, int]:
    """Names, attributes, imports and texts of a program, and the line of the first."""
    found: dict[str, int] = {}
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Name):
            names = [node.id]
        elif isinstance(node, ast.Attribute):
            names = [node.attr]
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            module = getattr(node, "module", None) or ""
            names = module.split(".")
            for alias in node.names:
                names += alias.name.split(".")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names = [node.value]
        for name in names:
            found[name] = min(node.lineno, found.get(name, node.lineno))
    return found


def _helpers(cell: str, own) -> list[str]:
    """Those of a student's own cells that define a name which the answer uses."""
    parsed = []
    for source in own:
        with contextlib.suppress(SyntaxError):
            tree = ast.parse(source)
            bound = {n.id for n in ast.walk(tree) if _binds(n)}
            for node in ast.walk(tree):
                if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                    bound.add(node.name)
                elif isinstance(node, ast.alias):
                    bound.add((node.asname or node.name).split(".")[0])
            parsed.append((source, tree, bound))
    try:
        used, helpers = set(_mentioned(ast.parse(cell))), []
    except SyntaxError:
        return []
    for source, tree, bound in reversed(parsed):
        if bound & used:
            helpers.append(source)
            used |= set(_mentioned(tree))
    return helpers


def _binds(node) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def _file(frame) -> str:
    return frame.f_code.co_filename


def _cells_of_caller() -> list[str]:
    """In a notebook: source of the cells whose functions the test cell names."""
    frame = sys._getframe(2)
    while frame and "classroom" not in frame.f_globals:
        frame = frame.f_back
    if frame is None:
        return []
    # IPython runs a cell statement by statement: its names are in its source.
    try:
        nodes = list(ast.walk(ast.parse("".join(linecache.getlines(_file(frame))))))
    except SyntaxError:
        return []
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    used = [frame.f_globals.get(name) for name in names]
    files = {}
    for value in used:
        if callable(value):
            files.update(dict.fromkeys(files_of(value) - {_file(frame)}))
    files = [f for f in files if not os.path.exists(f)]
    cells = ["".join(linecache.getlines(file)) for file in files]
    # In a teacher's source notebook earlier test cells have defined functions, too.
    return [cell for cell in cells if "classroom.forbid(" not in cell]


def forbid(*names: str) -> None:
    """In a test cell: refuse an answer whose cell mentions one of these names.

    Looks at the program itself: variables, attributes (`nn.LSTM`), imports, and texts
    that are exactly the name (`getattr(nn, "LSTM")`); comments do not count.
    """
    if Now.cell is not None:
        cells = [Now.cell, *_helpers(Now.cell, Now.own)]
    else:
        cells = _cells_of_caller()
    for cell in cells:
        try:
            found = _mentioned(ast.parse(cell))
        except SyntaxError:
            continue
        if Now.cell is None and "classroom" in found:
            continue  # a test, or a set-up cell, that defines what this test uses
        for name in names:
            if name in found:
                raise Wrong(
                    f"Your cell uses {name} (line {found[name]}), which is not allowed "
                    "in this question."
                )
