"""The graph of a step, split into matrix products and loops over elements.

What a step costs is its products with the state, and calling everything else. So the
products that have one left operand become one product, those with the one-hot input
become rows of a table, and all that lies between two products becomes one loop:

    stage 0   what needs no product with a state
    products  of stage 0's values: for an LSTM, H with all of W_hi, W_hf, W_ho, W_hc
    stage 1   what needs those: for an LSTM, all the rest
    products  of stage 1's values: for a GRU, R * H with W_hh
    stage 2   ...

A value that is needed again, by a later stage or on the way back, is kept in a slot: a
column of h numbers in one matrix that also has the products. One stage reads a product;
its slot is free after that, and on the way back holds the product's derivative.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .tracing import READS, READS_RESULT, NotUnderstoodError, Value, in_order


@dataclass(eq=False)
class Group:
    """Products with one left operand, computed as one.

    Attributes:
        left: the operand, a state or a computed value.
        stage: whose values the operand is one of.
        products: each with its own matrix, `products[i].args[1]`.
        slot: of the first; the others follow.
    """

    left: Value
    stage: int
    products: list[Value] = field(default_factory=list)
    slot: int = 0

    @property
    def slots(self) -> tuple[int, int]:
        """From which to which slot (not included)."""
        return self.slot, self.slot + len(self.products)


class Plan:
    """A step as stages, groups and slots.

    Args:
        state: of `trace_step`.
        state_names: of the state.

    Attributes:
        lookups: products with the input; their matrices stand side by side in a table.
        groups: in the order in which they are computed.
        stages: for each stage the values that its loop computes.
        lefts: computed left operands of groups that are no part of the new state.
        slots: value to number; of products and of what is kept.
        num_slots: how many.
        vectors: names of the parameters (h,), in the order of first use.
        outputs: the new state.

    Raises:
        NotUnderstoodError: for a graph that does not split so.
    """

    def __init__(self, state: tuple[Value, ...], state_names):
        self.state_names = list(state_names)
        self.outputs = list(state)
        self.values = in_order(state)
        self._check()
        computed = [v for v in self.values if not v.given]
        self.lookups = [v for v in computed if self.is_lookup(v)]
        self._stage: dict[Value, int] = {}
        for value in self.values:
            self._stage[value] = self._stage_of(value)
        last = max(self._stage.values())
        self.stages = [
            [v for v in computed if v.op != "product" and self._stage[v] == k]
            for k in range(last + 1)
        ]
        self._read_at = self._read_products()
        self.groups = self._grouped(computed)
        lefts = [g.left for g in self.groups]
        self.lefts = [v for v in lefts if not v.given and v not in self.outputs]
        self.vectors = self._vectors()
        self._give_slots()

    def stage(self, value: Value) -> int:
        """The stage that computes a value; a product is there for the one after."""
        return self._stage[value]

    def is_lookup(self, value: Value) -> bool:
        """Whether a value is a product with the input."""
        return value.op == "product" and value.args[0].op == "input"

    def is_product(self, value: Value) -> bool:
        """Whether a value is a product with a state or a computed value."""
        return value.op == "product" and not self.is_lookup(value)

    def _check(self) -> None:
        for value in self.values:
            for position, arg in enumerate(value.args):
                left_of_product = value.op == "product" and position == 0
                if arg.op == "input" and not left_of_product:
                    raise NotUnderstoodError("the input outside of a product")
                is_matrix = arg.op == "param" and str(arg.name).startswith("W")
                if is_matrix != (value.op == "product" and position == 1):
                    raise NotUnderstoodError(f"{arg.op} {arg.name} in {value.op}")
        matrices = [v.args[1] for v in self.values if v.op == "product"]
        if len(set(matrices)) != len(matrices):
            raise NotUnderstoodError("one matrix in two products")
        if len(set(self.outputs)) != len(self.outputs) or any(
            v.given or v.op == "product" for v in self.outputs
        ):
            raise NotUnderstoodError("a new state that is no value of its own")

    def _stage_of(self, value: Value) -> int:
        if value.given or self.is_lookup(value):
            return 0
        if value.op == "product":
            return self._stage[value.args[0]] + 1
        return max(self._stage[arg] for arg in value.args)

    def _grouped(self, computed) -> list[Group]:
        groups: dict[Value, Group] = {}
        for value in computed:
            if self.is_product(value):
                left = value.args[0]
                if left.op in ("constant", "param", "product"):
                    raise NotUnderstoodError(f"a product with a {left.op} on the left")
                group = groups.setdefault(left, Group(left, self._stage[left]))
                group.products.append(value)
        return sorted(groups.values(), key=lambda g: g.stage)

    def _read_products(self) -> dict[Value, int]:
        """Of every product with a state the stage that reads it."""
        read: dict[Value, int] = {}
        for value in self.values:
            for arg in filter(self.is_product, value.args):
                if read.setdefault(arg, self._stage[value]) != self._stage[value]:
                    raise NotUnderstoodError("a product that two stages need")
        return read

    def _vectors(self) -> list[str]:
        names = [
            arg.name
            for value in self.values
            if value.op != "product"
            for arg in value.args
            if arg.op == "param"
        ]
        return list(dict.fromkeys(names))

    def _kept(self) -> list[Value]:
        """What has to be there after its own stage, and is nowhere else."""
        needed = set()
        for value in self.values:
            if value.op in READS_RESULT:
                needed.add(value)
            needed.update(value.args[i] for i in READS.get(value.op, ()))
            if value.op != "product":
                stage = self._stage[value]
                needed.update(a for a in value.args if self._stage[a] != stage)
        elsewhere = {*self.outputs, *self.lefts, *self.lookups}
        return [
            v for v in self.values
            if v in needed and not v.given and v not in elsewhere
        ]  # fmt: skip

    def _give_slots(self) -> None:
        self.slots: dict[Value, int] = {}
        for group in self.groups:
            group.slot = len(self.slots)
            for product in group.products:
                self.slots[product] = len(self.slots)
        kept = self._kept()
        free = [v for v in self.slots if v not in kept]
        self.num_slots = len(self.slots)
        for value in kept:
            if value in self.slots:
                continue
            room = [p for p in free if self._read_at[p] <= self._stage[value]]
            if room:
                free.remove(room[0])
                self.slots[value] = self.slots[room[0]]
            else:
                self.slots[value] = self.num_slots
                self.num_slots += 1
