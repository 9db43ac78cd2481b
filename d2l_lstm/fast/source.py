"""The equations of a step, forward and backward, written as Python source.

Of a plan comes one module with one function, `piece`: for some rows of a minibatch the
sum of the losses and all gradients, on buffers that are there already. The same text is
written in two ways: for numba, where a loop runs over the elements of a row and is
compiled, and for NumPy, where each line computes a whole matrix.

The way back is the chain rule, value by value in reverse order. With d the derivative
of the loss with respect to a value y, its arguments get:

    y = a + b            d,  d
    y = a - b            d, -d
    y = a * b            d * b,  d * a
    y = sigmoid(a)       d * y * (1 - y)
    y = tanh(a)          d * (1 - y * y)
    y = relu(a)          d where y > 0, else 0
    y = hard_sigmoid(a)  0.2 * d where 0 < y < 1, else 0
    y = exp(a)           d * y
    y = log_sigmoid(a)   d * (1 - exp(y))
    y = a / b            d / b, -d * y / b
    y = maximum(a, b)    d where it is the larger, else 0
"""

from __future__ import annotations

from collections import defaultdict

from .planning import Plan
from .tracing import READS, READS_RESULT, NotUnderstoodError, Value

_FORWARD = {
    "add": "{0} + {1}",
    "subtract": "{0} - {1}",
    "multiply": "{0} * {1}",
    "sigmoid": "sigmoid({0})",
    "tanh": "tanh({0})",
    "relu": "relu({0})",
    "hard_sigmoid": "hard_sigmoid({0})",
    "exp": "exp({0})",
    "log_sigmoid": "log_sigmoid({0})",
    "divide": "{0} / {1}",
    "maximum": "maximum({0}, {1})",
}
_BACKWARD = {
    "add": ("{d}", "{d}"),
    "subtract": ("{d}", "-{d}"),
    "multiply": ("{d} * {1}", "{d} * {0}"),
    "sigmoid": ("{d} * {y} * (one - {y})",),
    "tanh": ("{d} * (one - {y} * {y})",),
    "relu": ("where({y} > zero, {d}, zero)",),
    "hard_sigmoid": ("where(({y} > zero) & ({y} < one), fifth * {d}, zero)",),
    "exp": ("{d} * {y}",),
    "log_sigmoid": ("{d} * (one - exp({y}))",),
    "divide": ("{d} / {1}", "-{d} * {y} / {1}"),
    "maximum": ("where({0} >= {1}, {d}, zero)", "where({0} < {1}, {d}, zero)"),
}


class Source:
    """The module's text, and what who calls it has to know.

    Attributes:
        text: of the module.
        arguments: names of the arguments of `piece`, see `training.Piece`.
        num_carried: derivatives that one stage hands to an earlier one.
        num_slots: of the plan, and what derivatives need beside them.
        lookup_slots: for each lookup the slot of its derivative.
        bias_of: vector name to the lookup that it is added to: its derivative is the
            sum of that column of the table's.
    """

    def __init__(self, plan: Plan, backend: str, dtype: str):
        self.plan, self.compiled = plan, backend == "numba"
        self.states = [f"state_{name}" for name in plan.state_names]
        self.news = [f"new_{name}" for name in plan.state_names]
        self.vectors = [f"param_{name}" for name in plan.vectors]
        self.number = {v: i for i, v in enumerate(plan.values)}
        self.num_slots, self.carried = plan.num_slots, []
        self._find_derivatives()
        body = []
        for k in range(len(plan.stages)):
            body += self._forward(k) + self._backward(k)
        self.arguments = self._arguments()
        head = [
            f"from d2l_lstm.fast.with_{backend} import functions", "",
            f"globals().update(functions({dtype!r}))", "", "",
        ]  # fmt: skip
        self.text = "\n".join([*head, *body, *self._piece()])

    @property
    def num_carried(self) -> int:
        return len(self.carried)

    # ----------------------------------------------------------------------------------
    # Names

    def _slot(self, slot: int, array: str = "a") -> str:
        if self.compiled:
            return f"{array}[{slot} * h + j]"
        return f"{array}[:, {slot} * h : {slot + 1} * h]"

    def _element(self, array: str) -> str:
        return f"{array}[j]" if self.compiled else array

    def _whole(self, array: str) -> str:
        return f"{array}[j]" if self.compiled else f"{array}[:]"

    def _left(self, value: Value) -> str:
        return f"left{self.plan.lefts.index(value)}"

    def _load(self, value: Value, known: dict, lines: list) -> str:
        """A name for a value, after a line that reads it where that is needed."""
        if value in known:
            return known[value]
        plan = self.plan
        if value.op == "constant":
            return f"real({value.name!r})"
        if value.op in ("state", "param"):
            read = self._element(f"{value.op}_{value.name}")
        elif value in plan.lookups:
            read = self._slot(plan.lookups.index(value), "x")
        elif value in plan.outputs:
            read = self._element(self.news[plan.outputs.index(value)])
        elif value in plan.lefts:
            read = self._element(self._left(value))
        else:
            read = self._slot(plan.slots[value])
        known[value] = f"v{self.number[value]}"
        lines.append(f"{known[value]} = {read}")
        return known[value]

    def _function(
        self, name: str, rows: list[str], vectors: list[str], body: list[str]
    ):
        """A function over some rows; compiled it is a loop over the elements of one."""
        arguments = ", ".join([*rows, *vectors])
        if not self.compiled:
            if any(" x[" in line for line in body):
                body = ["x = table[tokens]", *body]
            return [
                f"def {name}(h, table, tokens, {arguments}):",
                *(f"    {line}" for line in body), "", "",
            ]  # fmt: skip
        given = ", ".join([*(f"{row}[b]" for row in rows), *vectors])
        return [
            "@compiled",
            f"def {name}_row(h, x, {arguments}):",
            "    for j in range(h):",
            *(f"        {line}" for line in body), "", "",
            "@compiled",
            f"def {name}(h, table, tokens, {arguments}):",
            "    for b in range(len(tokens)):",
            f"        {name}_row(h, table[tokens[b]], {given})", "", "",
        ]  # fmt: skip

    # ----------------------------------------------------------------------------------
    # Forward

    def _forward_rows(self) -> list[str]:
        return ["a", *self.states, *self.news, *map(self._left, self.plan.lefts)]

    def _forward(self, k: int) -> list[str]:
        plan, lines, known, stores = self.plan, [], {}, []
        for value in plan.stages[k]:
            names = [self._load(arg, known, lines) for arg in value.args]
            known[value] = name = f"v{self.number[value]}"
            lines.append(f"{name} = {_FORWARD[value.op].format(*names)}")
            if value in plan.slots:
                stores.append(f"{self._slot(plan.slots[value])} = {name}")
            if value in plan.outputs:
                new = self.news[plan.outputs.index(value)]
                stores.append(f"{self._whole(new)} = {name}")
            if value in plan.lefts:
                stores.append(f"{self._whole(self._left(value))} = {name}")
        if not lines:
            return []
        rows = self._forward_rows()
        return self._function(f"forward{k}", rows, self.vectors, lines + stores)

    # ----------------------------------------------------------------------------------
    # Backward

    def _find_derivatives(self) -> None:
        """The lines of each stage's way back, and what leaves each stage."""
        self._back: dict[int, list[str]] = {}
        self._leaving: dict[int, dict[Value, list[str]]] = {}
        for k in reversed(range(len(self.plan.stages))):
            self._back[k], self._leaving[k] = self._derivatives(k)
        stages_of = defaultdict(list)
        for k, leaving in self._leaving.items():
            for value in leaving:
                stages_of[value].append(k)
        plan = self.plan
        self.lookup_slots, self.bias_of = [], {}
        for i, lookup in enumerate(plan.lookups):
            stages = stages_of[lookup]
            if len(stages) != 1:
                raise NotUnderstoodError("a product with the input in two stages")
            leaving = self._leaving[stages[0]]
            mine = leaving[lookup]
            alone = len(mine) == 1
            same = [v for v in leaving if alone and leaving[v] == mine and v != lookup]
            shared = [plan.slots[v] for v in same if plan.is_product(v)]
            if not shared:
                shared = [self.num_slots]
                self.num_slots += 1
            self.lookup_slots.append(shared[0])
            for vector in same:
                if vector.op == "param" and len(stages_of[vector]) == 1:
                    self.bias_of[vector.name] = i

    def _derivatives(self, k: int):
        plan, lines, known = self.plan, [], {}
        contributions, leaving = defaultdict(list), defaultdict(list)
        count = 0
        for value in reversed(plan.stages[k]):
            given = contributions[value]
            if value in plan.outputs:
                i = plan.outputs.index(value)
                given.append(self._element(f"D_{plan.state_names[i]}"))
                if i == 0:  # the output layer sees the first part of the state
                    given.append(self._element("dY"))
            given += [
                self._element(f"dleft{i}")
                for i, group in enumerate(plan.groups)
                if group.left is value
            ]
            if value in self.carried:
                given.append(self._slot(self.carried.index(value), "carried"))
            d = given[0]
            if len(given) > 1 or not d.isidentifier():
                d = f"d{self.number[value]}"
                lines.append(f"{d} = {' + '.join(given)}")
            names = ["", ""]
            for position in READS.get(value.op, ()):
                arg = value.args[position]
                names[position] = self._load(arg, known, lines)
            y = ""
            if value.op in READS_RESULT:
                y = self._load(value, known, lines)
            for arg, form in zip(value.args, _BACKWARD[value.op]):
                if arg.op == "constant":
                    continue
                term = form.format(*names, d=d, y=y)
                if not term.isidentifier():
                    count += 1
                    lines.append(f"t{count} = {term}")
                    term = f"t{count}"
                inside = not arg.given and arg.op != "product"
                if inside and plan.stage(arg) == k:
                    contributions[arg].append(term)
                else:
                    leaving[arg].append(term)
        self.carried += [
            v for v in leaving
            if not v.given and v.op != "product" and v not in self.carried
        ]  # fmt: skip
        return lines, dict(leaving)

    def _backward(self, k: int) -> list[str]:
        """The loop of a stage on the way back, with what it stores."""
        plan, lines, stores = self.plan, list(self._back[k]), []
        for value, terms in self._leaving[k].items():
            total = " + ".join(terms)
            if len(terms) > 1:
                lines.append(f"s{self.number[value]} = {total}")
                total = f"s{self.number[value]}"
            if plan.is_product(value):
                stores.append(f"{self._slot(plan.slots[value])} = {total}")
            elif value in plan.lookups:
                slot = self.lookup_slots[plan.lookups.index(value)]
                if slot >= plan.num_slots:
                    stores.append(f"{self._slot(slot)} = {total}")
            elif value.op == "param":
                if value.name not in self.bias_of:
                    total = total if self.compiled else f"({total}).sum(0)"
                    stores.append(f"{self._whole(f'd_param_{value.name}')} += {total}")
            elif value.op == "state":
                stores.append(f"{self._whole(f'E_{value.name}')} += {total}")
            else:
                slot = self._slot(self.carried.index(value), "carried")
                stores.append(f"{slot} += {total}")
        if not self._back[k] and not self._leaving[k]:
            return []
        return self._function(
            f"backward{k}", self._backward_rows(), self._backward_vectors(),
            lines + stores,
        )  # fmt: skip

    def _backward_rows(self) -> list[str]:
        names, groups = self.plan.state_names, range(len(self.plan.groups))
        return [
            *self._forward_rows(), "dY", "carried", *(f"dleft{i}" for i in groups),
            *(f"D_{name}" for name in names), *(f"E_{name}" for name in names),
        ]  # fmt: skip

    def _backward_vectors(self) -> list[str]:
        return [*self.vectors, *(f"d_{v}" for v in self.vectors)]

    # ----------------------------------------------------------------------------------
    # The whole

    def _arguments(self) -> list[str]:
        plan = self.plan
        names, groups = plan.state_names, range(len(plan.groups))
        return [
            "tokens", "labels", "scale", "a", "carried", "logits", "dY", "table",
            "d_table", "W_hq", "d_W_hq", "b_q", "d_b_q", "lookup_slots",
            *self.vectors, *(f"d_{v}" for v in self.vectors), *self.states,
            *map(self._left, plan.lefts),
            *(f"right{i}" for i in groups), *(f"back{i}" for i in groups),
            *(f"d_W{i}" for i in groups), *(f"dleft{i}" for i in groups),
            *(f"D_{name}" for name in names), *(f"E_{name}" for name in names),
        ]  # fmt: skip

    def _rows_at(self, rows: list[str]) -> str:
        """The arguments of a stage's function at time step t."""
        each_step = ["a", "dY", *self.states, *map(self._left, self.plan.lefts)]
        at = {row: f"{row}[t]" for row in each_step}
        at |= {new: f"{old}[t + 1]" for old, new in zip(self.states, self.news)}
        return ", ".join(at.get(row, row) for row in rows)

    def _operand(self, group, when: str) -> str:
        """The left operand of a group: at time step t, or at all of them."""
        outputs = self.plan.outputs
        now, new = ("[t]", "[t + 1]") if when == "t" else ("[:-1]", "[1:]")
        if group.left.given:
            return f"state_{group.left.name}{now}"
        if group.left in outputs:
            return f"{self.states[outputs.index(group.left)]}{new}"
        return self._left(group.left) + ("[t]" if when == "t" else "")

    def _piece(self) -> list[str]:
        plan = self.plan
        forward = self._rows_at(self._forward_rows())
        backward = self._rows_at(self._backward_rows())
        vectors = ", ".join(self.vectors)
        both = ", ".join(self._backward_vectors())
        lines = ["T, n = tokens.shape", "h, V = W_hq.shape", "R = T * n"]
        lines += ["for t in range(T):"]
        for k, values in enumerate(plan.stages):
            if values:
                lines.append(
                    f"    forward{k}(h, table, tokens[t], {forward}, {vectors})"
                )
            for i, group in enumerate(plan.groups):
                if group.stage == k:
                    lines.append(
                        f"    multiply_packed({self._operand(group, 't')}, right{i}, "
                        f"a[t], {group.slot} * h, {len(group.products)} * h, zero)"
                    )
        H = self.states[0]
        lines += [
            f"outputs = {H}[1:].reshape(R, h)",
            "multiply(outputs, W_hq, logits, False, False)",
            "loss = cross_entropy(logits, b_q, labels, scale)",
            "multiply(outputs, logits, d_W_hq, True, False)",
            "sum_rows(logits, d_b_q)",
            "multiply(logits, W_hq, dY.reshape(R, h), False, True)",
            *(f"D_{name}[:] = zero" for name in plan.state_names),
            *(f"d_{v}[:] = zero" for v in self.vectors),
            "for t in range(T - 1, -1, -1):",
        ]
        lines += [f"    E_{name}[:] = zero" for name in plan.state_names]
        lines += ["    carried[:] = zero"] if self.carried else []
        for k in reversed(range(len(plan.stages))):
            if self._back[k] or self._leaving[k]:
                lines.append(
                    f"    backward{k}(h, table, tokens[t], {backward}, {both})"
                )
            for i, group in enumerate(plan.groups):
                if group.stage == k - 1:
                    into, beta = f"dleft{i}", "zero"
                    if group.left.given:
                        into, beta = f"E_{group.left.name}", "one"
                    lines.append(
                        f"    multiply_packed_back(a[t], {group.slot} * h, "
                        f"{len(group.products)} * h, back{i}, {into}, {beta})"
                    )
        lines += [f"    D_{s}, E_{s} = E_{s}, D_{s}" for s in plan.state_names]
        lines.append("all_slots = a.reshape(R, a.shape[2])")
        for i, group in enumerate(plan.groups):
            first, end = group.slots
            lines += [
                f"left = {self._operand(group, 'all')}.reshape(R, h)",
                f"multiply(left, all_slots[:, {first} * h : {end} * h], d_W{i}, "
                "True, False)",
            ]
        lines += ["add_rows(all_slots, lookup_slots, tokens.reshape(R), d_table, h)"]
        lines += ["return loss"]
        head = ["@compiled"] if self.compiled else []
        return [
            *head,
            f"def piece({', '.join(self.arguments)}):",
            *(f"    {line}" for line in lines), "",
        ]  # fmt: skip
