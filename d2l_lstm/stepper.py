"""Step through an LSTM: a text, one character at a time, with the numbers in the cell.

    view = step_through(net, "the psychologist", vocab, step=5, unit=12)
    view.draw()     # a still picture: one unit at one step
    view            # in a notebook: a slider over time, units to click on

What is shown in a notebook is one piece of HTML, SVG and JavaScript that needs nothing
else: no widget, no network. Where scripts are taken out, it shows the chosen step;
where HTML is taken out too, there is still the picture of `draw`.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import math
from dataclasses import dataclass, field
from string import Template

import numpy as np
import paddle
from paddle.nn.functional import one_hot

from .cells import trace
from .drawing import Diagram, draw_lstm
from .models import cell_name
from .plotting import COLOURS

QUANTITIES = ("F", "I", "O", "C_tilde", "C", "H")
_MINUS = "\N{MINUS SIGN}"
_LEFT, _WIDTH, _HEIGHT, _UNIT = -0.4, 11.6, 6.3, 64  # of `draw_lstm`; pixels of a unit
# Where in that drawing a number stands: its left end, or its middle where it says so.
_PLACES = {
    "C_prev": (0.35, 4.55, "middle"),
    "F": (2.3, 2.62, "start"),
    "kept": (3.6, 5.27, "middle"),
    "I": (4.0, 2.62, "start"),
    "C_tilde": (5.7, 3.1, "start"),
    "written": (5.1, 4.3, "start"),
    "C": (10.55, 4.55, "middle"),
    "O": (7.05, 2.84, "start"),
    "squashed": (8.08, 3.26, "end"),
    "H": (10.55, 0.55, "middle"),
    "read": (1.6, 0, "start"),
}
_ANCHORS = {"start": "left", "middle": "center", "end": "right"}


def _number(value: float) -> str:
    shown = f"{abs(value):.3f}"
    return (_MINUS if value < 0 and float(shown) else "") + shown


def _factor(value: float) -> str:
    shown = _number(value)
    return f"({shown})" if shown.startswith(_MINUS) else shown


def _colour(value: float, largest: float) -> str:
    """Blue below 0, white at 0, orange above: of a cell among the largest."""
    share = max(-1.0, min(1.0, value / largest)) if largest else 0.0
    end = (194, 65, 12) if share > 0 else (27, 58, 107)
    parts = (math.floor(255 + abs(share) * (part - 255) + 0.5) for part in end)
    return "rgb({},{},{})".format(*parts)


@dataclass(eq=False)
class StepThrough:
    """A text that an LSTM has read, ready to be looked at step by step.

    Attributes:
        text: the characters, one a step.
        values: F, I, O, C_tilde, C and H by name, (steps, h) each, and C_prev, the cell
            of the step before.
        expected: for each step the most probable next characters, with probabilities.
        step, unit: where it begins, and what the still picture shows; counted from 0.
    """

    text: str
    values: dict[str, np.ndarray]
    expected: list[list[tuple[str, float]]]
    step: int = 0
    unit: int = 0
    _id: str = field(default="", init=False, repr=False)

    def numbers(self, step: int, unit: int) -> dict[str, str]:
        """What stands in the drawing, by place, as it is written there."""
        v = {name: float(values[step, unit]) for name, values in self.values.items()}
        v |= {"kept": v["F"] * v["C_prev"], "written": v["I"] * v["C_tilde"]}
        shown = {name: _number(value) for name, value in v.items()}
        return shown | {
            "squashed": _number(math.tanh(v["C"])), "read": _visible(self.text[step]),
        }  # fmt: skip

    def equations(self, step: int, unit: int) -> tuple[str, str]:
        """The two equations of a unit with its numbers, as plain text."""
        v = {name: float(values[step, unit]) for name, values in self.values.items()}
        return (
            f"C = F·C′ + I·C̃ = {_number(v['F'])} · {_factor(v['C_prev'])} + "
            f"{_number(v['I'])} · {_factor(v['C_tilde'])} = {_number(v['C'])}",
            f"H = O·tanh(C) = {_number(v['O'])} · {_factor(math.tanh(v['C']))} = "
            f"{_number(v['H'])}",
        )

    def draw(self, axes=None) -> Diagram:
        """The cell's drawing with the numbers of the chosen unit at the chosen step."""
        diagram = draw_lstm(axes=axes)
        for place, text in self.numbers(self.step, self.unit).items():
            x, y, anchor = _PLACES[place]
            family = {"family": "monospace"} if place == "read" else {}
            diagram.text(
                x, y, text, size=8, color=COLOURS[1], ha=_ANCHORS[anchor], **family
            )
        return diagram

    def _repr_html_(self) -> str:
        T, h = self.values["C"].shape
        largest = float(abs(self.values["C"]).max())
        data = {
            "text": self.text,
            "largest": largest,
            "expected": self.expected,
            "step": self.step,
            "unit": self.unit,
        }
        for name in ("C_prev", *QUANTITIES):  # in units of 1/10,000
            rounded = np.round(self.values[name] * 1e4).astype(int)
            data[name] = rounded.tolist()
        text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
        text = text.replace("<", "\\u003c")  # nothing in it ends a script
        equations = self.equations(self.step, self.unit)
        columns = min(h, 64)
        size = 704 // columns if h > 16 else 44
        cells = self.values["C"][self.step]
        squares = "".join(
            f'<rect data-unit="{u}" x="{u % columns * size}" '
            f'y="{u // columns * (size + 3)}" width="{size - 1}" height="{size}" '
            f'fill="{_colour(c, largest)}" '
            f'stroke="{"#111" if u == self.unit else "none"}" '
            f'stroke-width="2"><title>unit {u}</title></rect>'
            for u, c in enumerate(cells)
        )
        letters = "".join(
            f'<span data-step="{t}" style="cursor:pointer;padding:1px 0;'
            f'{"background:#c2410c;color:white" if t == self.step else ""}">'
            f"{html.escape(_visible(c))}</span>"
            for t, c in enumerate(self.text)
        )
        numbers = "".join(
            f'<text data-place="{place}" x="{(x - _LEFT) * _UNIT:.1f}" '
            f'y="{(_HEIGHT - 0.3 - y) * _UNIT + 4:.1f}" text-anchor="{anchor}">'
            f"{html.escape(self.numbers(self.step, self.unit)[place])}</text>"
            for place, (x, y, anchor) in _PLACES.items()
        )
        bars = "".join(
            f'<text x="14" y="{24 + 20 * k}" text-anchor="middle">'
            f"{html.escape(_visible(c))}</text>"
            f'<rect x="28" y="{12 + 20 * k}" width="{100 * p:.1f}" height="14" '
            f'fill="#1b3a6b"></rect><text x="{34 + 100 * p:.1f}" y="{24 + 20 * k}">'
            f"{p:.2f}</text>"
            for k, (c, p) in enumerate(self.expected[self.step])
        )
        name = "d2l-steps-" + hashlib.sha256(text.encode()).hexdigest()[:12]
        return _PAGE.substitute(
            name=name, data=text, letters=letters, last=T - 1, step=self.step,
            shown=self.step + 1, steps=T,
            unit=self.unit, squares=squares, numbers=numbers, bars=bars,
            drawing=_drawing(), width=round(_WIDTH * _UNIT),
            height=round(_HEIGHT * _UNIT),
            rows=-(-h // columns) * (size + 3) + 3, strip=columns * size + 2,
            curve=_curve(self.values["C"][:, self.unit]),
            at=f"{_at(self.step, T):.1f}", first=html.escape(equations[0]),
            second=html.escape(equations[1]), ranks=10 + 20 * len(self.expected[0]),
        )  # fmt: skip


def _visible(character: str) -> str:
    return "␣" if character == " " else character


def _at(step: int, steps: int) -> float:
    return 4 + 700 * step / max(1, steps - 1)


def _curve(cells) -> str:
    largest = float(abs(cells).max()) or 1.0
    points = (
        f"{_at(t, len(cells)):.1f},{32 - 28 * float(c) / largest:.1f}"
        for t, c in enumerate(cells)
    )
    return " ".join(points)


def _drawing() -> str:
    """`draw_lstm` as an image that a page can hold: one unit has `_UNIT` pixels."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.hashsalt": "d2l-lstm", "svg.fonttype": "path"}):
        figure = Figure(figsize=(_WIDTH * 0.55, _HEIGHT * 0.55))
        drawing = draw_lstm(axes=figure.add_axes((0, 0, 1, 1)))
        drawing.axes.set(xlim=(_LEFT, _LEFT + _WIDTH), ylim=(-0.3, _HEIGHT - 0.3))
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    return base64.b64encode(buffer.getvalue()).decode()


def step_through(
    net, text: str, vocab, *, before: str = "", step: int = 0, unit: int = 0
) -> StepThrough:
    """Let an LSTM read a text, and look at it step by step.

    Args:
        net: a from-scratch model of `lstm` or a cell with the same equations but for
            its activations.
        text: what can be stepped through, a few dozen characters.
        vocab: the model's.
        before: read first, so that the state is not empty when `text` begins.
        step, unit: where to begin, both counted from 0.

    Raises:
        ValueError: for another cell, an empty text, characters that the vocabulary does
            not have, or a step or unit that is not there.
    """
    cell = cell_name(net) or "a cell of one's own"
    if not cell.startswith("lstm"):
        raise ValueError(f"the model's cell is {cell}; the drawing is of an LSTM.")
    unknown = sorted({c for c in before + text if c not in vocab})
    if not text or unknown:
        raise ValueError(
            f"the text is {text!r:.40}; it needs characters, all of the vocabulary"
            f"{', not ' + ' '.join(map(repr, unknown)) if unknown else ''}."
        )
    for name, value, end in (
        ("step", step, len(text)),
        ("unit", unit, net.num_hiddens),
    ):
        if value not in range(end):
            raise ValueError(f"{name} is {value}; there are 0 to {end - 1}.")
    indices = paddle.to_tensor(vocab[list(before + text)])
    with paddle.no_grad():
        inputs = one_hot(indices, len(vocab)).unsqueeze(1)  # (steps, 1, d)
        state = net.begin_state(1)
        traced = trace(cell, inputs, state, net.params)
        *_, W_hq, b_q = net.params
        scores = traced["H"][:, 0] @ W_hq + b_q
        likely = paddle.nn.functional.softmax(scores).numpy()[len(before) :]
    values = {name: traced[name].numpy()[:, 0] for name in QUANTITIES}
    cells = np.concatenate([state[1].numpy(), values["C"]])[len(before) :]
    values = {name: numbers[len(before) :] for name, numbers in values.items()}
    best = np.argsort(-likely, axis=1, kind="stable")[:, :5]
    expected = [
        [(vocab.to_tokens(int(i)), round(float(row[i]), 4)) for i in ranks]
        for row, ranks in zip(likely, best)
    ]
    return StepThrough(text, values | {"C_prev": cells[:-1]}, expected, step, unit)


# The script sets up the element before it, once, and leaves no name behind.
_PAGE = Template("""\
<div class="$name" style="max-width:740px;background:white;color:#111;padding:6px;\
font:13px sans-serif">
<div data-part="text" style="font:15px monospace;line-height:1.6;\
overflow-wrap:anywhere">$letters</div>
<div style="margin:6px 0"><button type="button" data-by="-1" \
aria-label="one step back">◀</button>
<input type="range" min="0" max="$last" value="$step" aria-label="time step" \
style="width:560px;vertical-align:middle">
<button type="button" data-by="1" aria-label="one step on">▶</button>
<span data-part="place">step $shown of $steps</span></div>
<div>memory cells C<sub>t</sub> of all units, blue below 0, orange above; \
click on one:</div>
<svg data-part="units" width="$strip" height="$rows" style="display:block;\
cursor:pointer">$squares</svg>
<div>unit <b data-part="unit">$unit</b>: its cell over the text, zero in grey</div>
<svg width="708" height="64" style="display:block"><line x1="4" x2="704" y1="32" \
y2="32" stroke="#c9ced6"></line><polyline data-part="curve" points="$curve" \
fill="none" stroke="#1b3a6b" stroke-width="1.5"></polyline>
<line data-part="now" x1="$at" x2="$at" y1="0" y2="64" stroke="#c2410c"></line></svg>
<div style="display:flex;flex-wrap:wrap;align-items:center">
<svg viewBox="0 0 $width $height" width="560" style="display:block">
<image href="data:image/svg+xml;base64,$drawing" width="$width" height="$height">\
</image><g fill="#c2410c" style="font:bold 14px sans-serif">$numbers</g></svg>
<div>next character:<svg data-part="expected" width="170" height="$ranks" \
style="display:block;font:13px monospace">$bars</svg></div></div>
<div data-part="first" style="font:14px monospace">$first</div>
<div data-part="second" style="font:14px monospace">$second</div>
</div><script>
(function () {
  const data = $data;
  function setUp(root) {
    if (root.dataset.ready) return;
    root.dataset.ready = "yes";
    let step = data.step, unit = data.unit;
    const part = (name) => root.querySelector('[data-part="' + name + '"]');
    const slider = root.querySelector("input");
    const visible = (c) => (c === " " ? "\\u2423" : c);
    const value = (name) => data[name][step][unit] / 1e4;
    const number = (x) => {
      const shown = Math.abs(x).toFixed(3);
      return (x < 0 && Number(shown) ? "\\u2212" : "") + shown;
    };
    const factor = (x) => {
      const shown = number(x);
      return shown[0] === "\\u2212" ? "(" + shown + ")" : shown;
    };
    const colour = (x) => {
      const share = data.largest ? Math.max(-1, Math.min(1, x / data.largest)) : 0;
      const end = share > 0 ? [194, 65, 12] : [27, 58, 107];
      const mixed = end.map((p) => Math.floor(255 + Math.abs(share) * (p - 255) + 0.5));
      return "rgb(" + mixed.join(",") + ")";
    };
    function show() {
      const v = {};
      for (const n of ["C_prev", "F", "I", "O", "C_tilde", "C", "H"]) v[n] = value(n);
      const at = 4 + (700 * step) / Math.max(1, data.text.length - 1);
      const shown = {};
      for (const n in v) shown[n] = number(v[n]);
      shown.kept = number(v.F * v.C_prev);
      shown.written = number(v.I * v.C_tilde);
      shown.squashed = number(Math.tanh(v.C));
      shown.read = visible(data.text[step]);
      root.querySelectorAll("[data-place]").forEach((e) => {
        e.textContent = shown[e.dataset.place];
      });
      root.querySelectorAll("[data-step]").forEach((e) => {
        const now = Number(e.dataset.step) === step;
        e.style.background = now ? "#c2410c" : "";
        e.style.color = now ? "white" : "";
      });
      root.querySelectorAll("[data-unit]").forEach((e) => {
        const u = Number(e.dataset.unit);
        e.setAttribute("fill", colour(data.C[step][u] / 1e4));
        e.setAttribute("stroke", u === unit ? "#111" : "none");
      });
      part("place").textContent = "step " + (step + 1) + " of " + data.text.length;
      part("unit").textContent = unit;
      part("now").setAttribute("x1", at);
      part("now").setAttribute("x2", at);
      const cells = data.C.map((row) => row[unit]);
      const most = Math.max(...cells.map(Math.abs)) || 1;
      part("curve").setAttribute("points", cells.map((c, t) =>
        4 + (700 * t) / Math.max(1, cells.length - 1) + "," + (32 - (28 * c) / most)
      ).join(" "));
      const bars = part("expected");
      bars.textContent = "";
      data.expected[step].forEach(([c, p], k) => {
        const add = (tag, attributes, text) => {
          const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
          for (const a in attributes) e.setAttribute(a, attributes[a]);
          if (text) e.textContent = text;
          bars.appendChild(e);
        };
        const y = 24 + 20 * k;
        add("text", { x: 14, y: y, "text-anchor": "middle" }, visible(c));
        add("rect", { x: 28, y: y - 12, width: 100 * p, height: 14, fill: "#1b3a6b" });
        add("text", { x: 34 + 100 * p, y: y }, p.toFixed(2));
      });
      part("first").textContent = "C = F·C′ + I·C̃ = " + number(v.F) + " · " +
        factor(v.C_prev) + " + " + number(v.I) + " · " + factor(v.C_tilde) + " = " +
        number(v.C);
      part("second").textContent = "H = O·tanh(C) = " + number(v.O) + " · " +
        factor(Math.tanh(v.C)) + " = " + number(v.H);
    }
    function go(to) {
      step = Math.max(0, Math.min(data.text.length - 1, to));
      slider.value = step;
      show();
    }
    slider.addEventListener("input", () => go(Number(slider.value)));
    root.addEventListener("click", (event) => {
      const by = event.target.closest("[data-by], [data-step], [data-unit]");
      if (!by) return;
      if (by.dataset.by) go(step + Number(by.dataset.by));
      if (by.dataset.step) go(Number(by.dataset.step));
      if (by.dataset.unit) { unit = Number(by.dataset.unit); show(); }
    });
    show();
  }
  const script = document.currentScript;
  const before = script && script.previousElementSibling;
  if (before && before.classList.contains("$name")) setUp(before);
  else document.querySelectorAll(".$name").forEach(setUp);
})();
</script>""")
