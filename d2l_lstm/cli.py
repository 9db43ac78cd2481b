"""The command `d2l-lstm`: train, predict, evaluate, cells, check, info."""

from __future__ import annotations

import contextlib
import inspect
import json
import math
import random
import shlex
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import paddle
import typer
from paddle import nn
from tqdm import tqdm

from .batches import SeqDataLoader, split_corpus
from .cells import CELLS, get_cell
from .checkpoints import is_checkpoint, load_checkpoint, save_checkpoint
from .corpora import encode_large, is_large, load_large_corpus
from .devices import memory_limit
from .environment import environment_report
from .files import check_writable
from .generation import check_decoding, generate
from .models import RNNModel, num_parameters, scratch_model
from .parallel import LostWorkerError, launched_as, launched_workers
from .recipes import RECIPES, Recipe, get_recipe, train_by
from .text import (
    DATA,
    NORMALIZATIONS,
    check_whole,
    load_corpus,
    printable,
    read_raw_time_machine,
    read_text,
)
from .training import evaluate_perplexity

PRETRAINED = DATA / "lstm_time_machine.safetensors"
CHECKPOINT = Path("time_machine_lstm.safetensors")
PREFIXES = ("time traveller", "traveller", "the time machine", "you ", "tr")
_CONCISE = {"rnn": "SimpleRNN", "lstm": "LSTM", "gru_reset_after": "GRU"}

CHAPTER_NAME = "The Time Machine, chapter I"

app = typer.Typer(
    help="Train a language model of characters or words on The Time Machine or any "
    "text, and let it continue a prefix.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Pretrained = Annotated[
    Path,
    typer.Option(
        "--checkpoint",
        "-c",
        help="A file that `train` has written.",
        show_default="the pretrained model",
    ),
]
Text = Annotated[
    Path | None,
    typer.Option("--text", "-t", help="A UTF-8 text file. (default: The Time Machine)"),
]
Seed = Annotated[int | None, typer.Option(help="The same seed gives the same result.")]
Normalize = Annotated[
    str | None,
    typer.Option(
        help="book: letters a to z and spaces; unicode: any script, lower case, single "
        "spaces; none: as it is. (default: book for The Time Machine, else unicode)"
    ),
]


def _check_positive(name: str, value: float, infinity: bool = False):
    if not value > 0 or (value == math.inf and not infinity):
        raise ValueError(f"{name} is {value:g}; it must be a number above 0.")


def _choose(what: str, value: str | None, choices) -> None:
    if value is not None and value not in choices:
        raise ValueError(f"unknown {what} {value!r}; choose {', '.join(choices)}.")


def _check_memory(cell, vocab_size: int, hidden: int) -> None:
    """Refuse a size whose weights cannot be held: they, gradients and two copies."""
    numbers, limit = get_cell(cell).num_params(vocab_size, hidden), memory_limit()
    needed = 4 * 4 * numbers  # bytes of a float32
    if limit is not None and needed > limit:
        raise ValueError(
            f"hidden is {hidden}; its {numbers:,} parameters need "
            f"{needed / 2**30:,.0f} GB of memory to train, and there are "
            f"{limit / 2**30:,.0f}."
        )


def _check_regularisation(recipe: Recipe, concise: bool, resume: bool) -> None:
    """Refuse what does not go with dropout, decay and averaging."""
    if recipe.regularisation and concise:
        raise ValueError(
            "dropout and weight decay go with the cells from scratch, not with "
            "--concise."
        )
    if recipe.average_from is None:
        return
    if resume:
        raise ValueError(
            "a run whose weights are averaged cannot be resumed: the mean of those "
            "before is not in the checkpoint."
        )
    if recipe.patience is not None:
        raise ValueError(
            "--patience takes the best weights and --average-from their mean; choose "
            "one."
        )
    if recipe.average_from > recipe.epochs:
        raise ValueError(
            f"average_from is {recipe.average_from}, and there are {recipe.epochs} "
            "epochs."
        )


def _recipe_of(context: typer.Context, name: str, **options) -> Recipe:
    """The recipe of this name, with what the command line says otherwise."""
    recipe, changed = get_recipe(name), {}
    for option, value in options.items():
        source = context.get_parameter_source(option)
        if source is not None and source.name == "COMMANDLINE":
            changed[option] = value
    return replace(recipe, **changed)


_BEST = (
    "A set of options, of which those that you give replace its own. book: the book's. "
    f"best: {RECIPES['best']}, what notebook 12 recommends for a short text."
)


@app.command()
def train(
    context: typer.Context,
    text: Text = None,
    recipe: Annotated[str, typer.Option(help=_BEST)] = "book",
    cell: Annotated[
        str, typer.Option(help="lstm, gru, ...; `d2l-lstm cells` lists them.")
    ] = "lstm",
    concise: Annotated[
        bool, typer.Option("--concise", help="Paddle's compiled layer: faster.")
    ] = False,
    hidden: Annotated[int, typer.Option(help="Hidden units.")] = 256,
    epochs: Annotated[int, typer.Option(help="Passes over the training text.")] = 500,
    lr: Annotated[float, typer.Option(help="Learning rate.")] = 1.0,
    batch_size: Annotated[int, typer.Option(help="Sequences in a minibatch.")] = 32,
    num_steps: Annotated[int, typer.Option(help="Tokens of a sequence.")] = 35,
    theta: Annotated[float, typer.Option(help="Largest norm of the gradient.")] = 1.0,
    patience: Annotated[
        int | None,
        typer.Option(help="Stop after so many epochs without a better validation."),
    ] = None,
    dropout_inputs: Annotated[
        float, typer.Option(help="Share of the tokens left out at random.")
    ] = 0.0,
    dropout_hidden: Annotated[
        float, typer.Option(help="Share of the hidden units the next step misses.")
    ] = 0.0,
    dropout_outputs: Annotated[
        float, typer.Option(help="Share of the hidden units the scores miss.")
    ] = 0.0,
    weight_decay: Annotated[
        float, typer.Option(help="How much large weights cost.")
    ] = 0.0,
    average_from: Annotated[
        int | None,
        typer.Option(help="Save the mean of the weights from this epoch on."),
    ] = None,
    token: Annotated[
        str, typer.Option(help="What the model reads and writes: char or word.")
    ] = "char",
    normalize: Normalize = None,
    max_tokens: Annotated[
        int | None, typer.Option(help="Use only so many tokens.")
    ] = None,
    seed: Seed = 0,
    checkpoint: Annotated[
        Path, typer.Option("--checkpoint", "-c", help="Where to save the model.")
    ] = CHECKPOINT,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in the checkpoint.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Resume although settings differ.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier checkpoint.")
    ] = False,
):
    """Train a language model. Without options: the book's LSTM, 500 epochs. With
    --recipe best: a smaller one that learns less by heart.

    Of The Time Machine it learns the first 10,000 characters and is validated on the
    next 5,000; of any other text the first nine tenths and the rest. Ctrl-C keeps what
    was learnt.
    """
    workers = launched_workers()
    say = typer.echo if workers.main else (lambda _: None)
    recipe = _recipe_of(
        context, recipe, cell=cell, hidden=hidden, epochs=epochs, lr=lr,
        batch_size=batch_size, num_steps=num_steps, theta=theta, patience=patience,
        dropout_inputs=dropout_inputs, dropout_hidden=dropout_hidden,
        dropout_outputs=dropout_outputs, weight_decay=weight_decay,
        average_from=average_from,
    )  # fmt: skip
    cell, hidden = recipe.cell, recipe.hidden
    get_cell(cell)
    _choose("token type", token, ("char", "word"))
    _choose("normalization", normalize, NORMALIZATIONS)
    for name, value in (
        ("hidden", hidden), ("epochs", recipe.epochs), ("patience", recipe.patience),
        ("batch_size", recipe.batch_size), ("num_steps", recipe.num_steps),
        ("average_from", recipe.average_from), ("max_tokens", max_tokens),
    ):  # fmt: skip
        if value is not None:
            check_whole(name, value, 1)
    if seed is not None:
        check_whole("seed", seed, 0, 2**32 - 1)
    _check_positive("lr", recipe.lr)
    _check_positive("theta", recipe.theta, infinity=True)
    _check_regularisation(recipe, concise, resume)
    if concise and cell not in _CONCISE:
        raise ValueError(
            f"Paddle has no layer for the cell {cell!r}; --concise goes with "
            f"{', '.join(_CONCISE)}."
        )
    if force and not resume:
        raise ValueError("--force goes with --resume.")
    if checkpoint.exists() and not (resume or overwrite):
        raise ValueError(
            f"{checkpoint} exists; --resume goes on with it, --overwrite replaces it, "
            "-c FILE writes another file."
        )
    if resume:  # before a long text is read
        before = load_checkpoint(checkpoint).metadata.get("seed", seed)
        if before != seed and not force:
            raise ValueError(
                f"{checkpoint} was trained otherwise: seed was {before!r:.40} and is "
                f"{seed}; to go on all the same, add --force."
            )
    normalization = normalize or ("book" if text is None else "unicode")
    options = {"token": token, "normalization": normalization}
    if text is not None and is_large(text):
        corpus, vocab = load_large_corpus(text, max_tokens or -1, **options)
    else:
        raw = read_raw_time_machine() if text is None else read_text(text)
        corpus, vocab = load_corpus(raw, max_tokens or -1, **options)
    num_train = len(corpus) * 9 // 10
    if (text, max_tokens, normalization, token) == (None, None, "book", "char"):
        corpus, num_train = corpus[:15000], 10000  # the book's, and 5,000 more
    check_writable(checkpoint, may_replace=is_checkpoint)
    _check_memory(cell, len(vocab), hidden)
    train_iter, valid_iter = split_corpus(
        corpus, vocab, recipe.batch_size, recipe.num_steps, num_train,
        len(corpus) - num_train,
    )  # fmt: skip
    random.seed(seed)
    np.random.seed(seed)
    paddle.seed(seed or 0)
    if concise:
        layer = getattr(nn, _CONCISE[cell])(len(vocab), hidden, time_major=True)
        net = RNNModel(layer, len(vocab))
    else:
        net = scratch_model(cell, len(vocab), hidden)
    tokens = "characters" if token == "char" else "words"
    say(
        f"{cell}, {hidden} hidden units, {num_parameters(net):,} parameters; "
        f"{num_train:,} {tokens} to train on, {len(corpus) - num_train:,} to "
        f"validate on, {len(vocab)} in the vocabulary"
    )
    prefixes = [p for p in PREFIXES if all(vocab.encode(p))]
    prefixes = prefixes or [
        vocab.decode(corpus[i : i + 8].tolist()) for i in (0, len(corpus) // 2)
    ]
    metadata = {"text": text.name if text else CHAPTER_NAME, "seed": seed}
    averaging = recipe.average_from is not None
    history = train_by(
        recipe,
        net,
        train_iter,
        vocab,
        valid_iter=valid_iter,
        checkpoint=None if averaging else checkpoint,
        resume=resume,
        force=force,
        metadata=metadata,
        prefixes=prefixes,
    )
    if averaging and history.epochs and workers.main:
        if len(history.epochs) >= recipe.average_from:
            metadata["average_from"] = recipe.average_from
            measured = evaluate_perplexity(net, valid_iter)
            say(f"The mean of the weights: validation perplexity {measured:.2f}")
        save_checkpoint(
            checkpoint, net, vocab, history=history.to_dict(), metadata=metadata
        )
    if not history.epochs:
        say("Nothing was learnt yet, and nothing saved.")
        return
    predict = shlex.join(["-c", str(checkpoint), "-p", prefixes[0]])
    done = f"Saved in {checkpoint}. Now: d2l-lstm predict {predict}"
    say("\n" + printable(done))
    if history.stopped == "interrupted" and not averaging:
        say("To go on: the same command with --resume.")


def _prefixes(prefix: str | None) -> list[str]:
    if prefix is not None:
        return [prefix]
    if sys.stdin is None or sys.stdin.isatty():
        raise ValueError(
            "no prefix; give --prefix 'time traveller', or lines of input."
        )
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(encoding="utf-8-sig")
    try:
        lines = [line.rstrip("\r\n") for line in sys.stdin]
    except UnicodeDecodeError:
        raise ValueError("standard input is not UTF-8; convert it first.") from None
    if not any(lines):
        raise ValueError("no prefix: standard input is empty.")
    return [line for line in lines if line]


@app.command()
def predict(
    prefix: Annotated[
        str | None,
        typer.Option(
            "--prefix",
            "-p",
            help="What to continue. (default: each line of standard input)",
        ),
    ] = None,
    num_preds: Annotated[
        int, typer.Option("--num-preds", "-n", help="Tokens to add.")
    ] = 50,
    checkpoint: Pretrained = PRETRAINED,
    temperature: Annotated[
        float,
        typer.Option(
            help="0: the most probable token every time; else draw: below 1 bolder "
            "choices are rarer, above 1 more frequent."
        ),
    ] = 0.0,
    top_k: Annotated[
        int | None, typer.Option(help="Draw from the k most probable tokens only.")
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(help="Draw from the fewest tokens that have probability p only."),
    ] = None,
    beam_size: Annotated[
        int,
        typer.Option(help="Texts side by side in search of the most probable one."),
    ] = 1,
    seed: Seed = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line, for programs.")
    ] = False,
):
    """Continue a prefix, with the pretrained model or one of yours."""
    check_whole("num_preds", num_preds, 0)
    check_decoding(temperature, top_k, top_p, beam_size)
    if seed is not None:
        check_whole("seed", seed, 0, 2**32 - 1)
    prefixes = _prefixes(prefix)
    saved = load_checkpoint(checkpoint)
    for given in prefixes:
        text = generate(
            given,
            num_preds,
            saved.net,
            saved.vocab,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            beam_size=beam_size,
            seed=seed,
        )
        if as_json:
            facts = {"prefix": given, "text": text, "num_preds": num_preds}
            facts |= {"temperature": temperature, "top_k": top_k, "top_p": top_p}
            facts |= {"beam_size": beam_size, "seed": seed}
            text = "".join(
                c if printable(c) == c else f"\\u{ord(c):04x}"
                for c in json.dumps(facts, ensure_ascii=False)
            )
        typer.echo(printable(text))


def _own_text(saved) -> tuple[list[dict], int, int]:
    """What a checkpoint says of its two texts, rows and steps of a minibatch.

    What is no such thing, or would need much memory, is not believed.
    """
    settings = saved.run["settings"] if saved.run else {}
    own = [settings.get(f"{name} text") for name in ("training", "validation")]
    own = [
        facts
        if isinstance(facts, dict) and type(facts.get("num_tokens")) is int
        else {}
        for facts in own
    ]
    rows, steps = own[0].get("batch_size"), own[0].get("num_steps")
    whole = type(rows) is int and type(steps) is int and min(rows, steps) > 0
    return own, *((rows, steps) if whole and rows * steps <= 100_000 else (32, 35))


@app.command()
def evaluate(
    checkpoint: Pretrained = PRETRAINED,
    text: Text = None,
):
    """Perplexity of a model on its own text, split as in training, or on another."""
    saved = load_checkpoint(checkpoint)
    own, rows, steps = _own_text(saved)

    def loader(part):
        return SeqDataLoader(rows, steps, corpus=part, vocab=saved.vocab, offset=0)

    if text is not None and is_large(text):
        corpus = encode_large(text, saved.vocab)
    else:
        raw = read_raw_time_machine() if text is None else read_text(text)
        corpus = saved.vocab.encode(saved.vocab.normalize(raw))
    parts = {"the whole text": corpus}
    if len(corpus) <= rows:
        raise ValueError(
            f"the text has {len(corpus)} tokens that the model can read; to measure on "
            f"it, {rows + 1} are needed."
        )
    n, m = (facts.get("num_tokens", 0) for facts in own)
    if n > rows and m > rows and n + m <= len(corpus):
        halves = {"trained on": corpus[:n], "held out": corpus[n : n + m]}
        hashes = [loader(part).settings()["sha256"] for part in halves.values()]
        if hashes == [facts.get("sha256") for facts in own]:
            parts = halves
    tokens = "words" if saved.vocab.token == "word" else "characters"
    for name, part in parts.items():
        bar = tqdm(
            loader(part), name, (len(part) - 1) // rows // steps + 1,
            unit="minibatch", delay=1, leave=False,
        )  # fmt: skip
        perplexity = evaluate_perplexity(saved.net, bar)
        unknown = len(part) - int(np.count_nonzero(part))
        note = f", {unknown:,} of them unknown to the model" if unknown else ""
        typer.echo(f"{name}: perplexity {perplexity:.3f}, {len(part):,} {tokens}{note}")


@app.command()
def cells():
    """The cells that `train --cell` takes, each with a line on what it is."""
    for name, cell in CELLS.items():
        typer.echo(f"{name:23}{inspect.getdoc(cell.step).splitlines()[0]}")


@app.command()
def check(
    notebook: Annotated[
        Path, typer.Argument(help="An exercise with answers, a file of Jupyter's.")
    ],
    hidden: Annotated[
        bool,
        typer.Option(
            "--hidden", help="Also the hidden tests, where exercises/source is there."
        ),
    ] = False,
):
    """What the answers in an exercise pass; status 0 if that is everything."""
    from .classroom.checking import check as check_notebook  # not for other commands

    if not check_notebook(notebook, typer.echo, hidden):
        raise typer.Exit(1)


@app.command()
def info():
    """Versions, device, cores and threads, where the data is: for a bug report."""
    for name, value in environment_report().items():
        typer.echo(f"{name:12} {value}")


def _sentence(error: BaseException) -> str:
    """What went wrong, in one line without Python's inside."""
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}."
    if isinstance(error, MemoryError) or "ResourceExhausted" in str(error):
        return "there is not enough memory; choose a smaller hidden or batch_size."
    return str(error)


def _warn(message, *_, **__) -> None:
    with contextlib.suppress(OSError):  # what is asked for matters more
        print(f"warning: {printable(str(message))}", file=sys.stderr, flush=True)


def _say_why(error: BaseException) -> None:
    """Say what went wrong; of a lost worker, worker 0 speaks for all that are left."""
    rank = 0
    with contextlib.suppress(ValueError):  # what is wrong may be these numbers
        rank, _ = launched_as()
    if rank > 0 and isinstance(error, LostWorkerError):
        return
    name = f"d2l-lstm, worker {rank}" if rank else "d2l-lstm"
    print(f"{name}: {printable(_sentence(error))}", file=sys.stderr)


def main() -> None:
    """Run the command; errors are one sentence on standard error, exit status 2."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a Windows console is not always UTF-8
            stream.reconfigure(encoding="utf-8", errors="replace")
    warnings.simplefilter("always", UserWarning)  # of every prefix, not of the first
    warnings.showwarning = _warn
    try:
        app()  # ends the process itself, with status 2 for wrong usage
    except SystemExit as ended:
        if ended.code == 130:  # Ctrl-C, of which typer says nothing
            print("\nd2l-lstm: interrupted.", file=sys.stderr)
        raise
    except (ValueError, ArithmeticError, RuntimeError, OSError, MemoryError) as error:
        _say_why(error)
        sys.exit(2)


if __name__ == "__main__":
    main()
